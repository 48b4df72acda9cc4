"""Scores of a clustering that need no known labels, only the samples or their codes (survey 4.2).

They are scikit-learn's, with one additional rule: a score is NaN if it is not defined. No score is defined for fewer
than 2 or more than n - 1 clusters, and Davies-Bouldin is not defined if two centres coincide. So a fit that collapsed
into one cluster or into one point gets a row in a table of results, not an error.

All three reward compact, separate clusters in the space that they are given. Only compare clusterings in the same
space: a space that was trained to have such clusters scores well.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from sklearn import metrics

from dctutor._inputs import check_table
from dctutor._validation import check_integer
from dctutor.metrics.external import as_groups

__all__ = ["calinski_harabasz", "davies_bouldin", "silhouette", "silhouette_samples"]


def _points(Z: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray, bool]:
    """Return checked points, clusters as 0, 1, 2, ..., and whether the number of clusters allows a score."""
    points, found = check_table("Z", Z).astype(np.float64), as_groups("labels", labels)
    if found.shape != (len(points),):
        raise ValueError(f"labels: expected shape ({len(points)},), one entry per row of Z, got shape {found.shape}")
    # The scores do not depend on origin and unit, but scikit-learn's sums of squares and absolute tolerances do.
    points = points - points.mean(0)
    points /= np.abs(points).max() or 1.0
    clusters, indices = np.unique(found, return_inverse=True)
    return points, indices, 2 <= len(clusters) <= len(points) - 1


def silhouette_samples(Z: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """How much closer each sample is to its own cluster than to the next one (Rousseeuw 1987).

    Let a be the mean distance of a sample to the other samples of its cluster, and b the smallest mean distance to the
    samples of another cluster. The silhouette of the sample is (b - a) / max(a, b). Time grows with the square of n.

    Parameters
    ----------
    Z : array-like of shape (n, p)
        Samples or codes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    ndarray of shape (n,)
        In [-1, 1]; 0 for a sample that is alone in its cluster. All are NaN if there are fewer than 2 or more than
        n - 1 clusters.

    Raises
    ------
    TypeError, ValueError
        If `Z` is not a 2-D array of finite numbers, or `labels` does not fit it.
    """
    points, found, defined = _points(Z, labels)
    return metrics.silhouette_samples(points, found) if defined else np.full(len(points), np.nan)


def silhouette(Z: ArrayLike, labels: ArrayLike, *, sample_size: int | None = None, random_state: int = 0) -> float:
    """Mean of `silhouette_samples` (Rousseeuw 1987).

    Parameters
    ----------
    Z : array-like of shape (n, p)
        Samples or codes.
    labels : array-like of shape (n,)
        Clusters.
    sample_size : int or None, default=None
        Number of samples to draw at random and to score among themselves, as an estimate for large n. None takes all
        samples.
    random_state : int, default=0
        Seed of the draw.

    Returns
    -------
    float
        In [-1, 1], higher is better. NaN if the scored samples lie in fewer than 2 or more than n - 1 clusters.

    Raises
    ------
    TypeError, ValueError
        If `Z` is not a 2-D array of finite numbers, `labels` does not fit it, `sample_size` is not an integer of at
        least 2, or `random_state` is not a seed.
    """
    points, found, _ = _points(Z, labels)
    if sample_size is not None and check_integer("sample_size", sample_size, minimum=2) < len(points):
        try:
            generator = np.random.default_rng(random_state)
        except (TypeError, ValueError) as error:
            raise type(error)(f"random_state: expected an integer of at least 0, got {random_state!r}") from error
        drawn = generator.choice(len(points), sample_size, replace=False)
        points, found = points[drawn], found[drawn]
    return float(silhouette_samples(points, found).mean())


def davies_bouldin(Z: ArrayLike, labels: ArrayLike) -> float:
    """Mean overlap of each cluster with the cluster that it overlaps most (Davies & Bouldin 1979).

    The overlap of two clusters is the sum of their mean distances to their own centres, divided by the distance between
    the centres.

    Parameters
    ----------
    Z : array-like of shape (n, p)
        Samples or codes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    float
        At least 0, lower is better. NaN if there are fewer than 2 or more than n - 1 clusters, or if two centres
        coincide to 1e-8 of the scale of the data, as they do if all points are equal.

    Raises
    ------
    TypeError, ValueError
        If `Z` is not a 2-D array of finite numbers, or `labels` does not fit it.
    """
    points, found, defined = _points(Z, labels)
    if not defined:
        return float("nan")
    # scikit-learn's distances between centres lose the digits of small ones. It takes two clusters with one centre to
    # be far apart, and gives a collapsed embedding the best score, 0.
    if pdist([points[found == k].mean(0) for k in np.unique(found)]).min() <= 1e-8:
        return float("nan")
    return float(metrics.davies_bouldin_score(points, found))


def calinski_harabasz(Z: ArrayLike, labels: ArrayLike) -> float:
    """Variance between clusters divided by variance within clusters (Caliński & Harabasz 1974).

    Each of the two is a sum of squares divided by its degrees of freedom.

    Parameters
    ----------
    Z : array-like of shape (n, p)
        Samples or codes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    float
        At least 0, higher is better; it grows with n. NaN if there are fewer than 2 or more than n - 1 clusters. If
        every sample lies on the centre of its cluster, the ratio would be infinite; as in scikit-learn, it is then 1.

    Raises
    ------
    TypeError, ValueError
        If `Z` is not a 2-D array of finite numbers, or `labels` does not fit it.
    """
    points, found, defined = _points(Z, labels)
    if not defined:
        return float("nan")
    # Not left to scikit-learn, whose sums of squares are rarely exactly 0.
    if all((points[found == k] == points[found == k][0]).all() for k in np.unique(found)):
        return 1.0
    return float(metrics.calinski_harabasz_score(points, found))
