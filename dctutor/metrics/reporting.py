"""All scores of a clustering in one table."""

from collections.abc import Iterator, Mapping
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from dctutor.metrics.external import all_scores, as_groups
from dctutor.metrics.internal import calinski_harabasz, davies_bouldin, silhouette

__all__ = ["Report", "report"]

_SHOWN = {  # key: name, decimals, best value
    "acc": ("ACC", 3, "1"),
    "nmi": ("NMI", 3, "1"),
    "ari": ("ARI", 3, "1"),
    "silhouette": ("silhouette", 3, "1"),
    "davies_bouldin": ("Davies-Bouldin", 3, "0"),
    "calinski_harabasz": ("Caliński-Harabasz", 1, "high"),
}


class Report(dict[str, float]):
    """Dictionary of scores that is printed, and shown in a notebook, as a table.

    Parameters
    ----------
    values : mapping of str to float
        Scores under the names that `report` gives them.
    caption : str
        What was scored.
    """

    def __init__(self, values: Mapping[str, float], caption: str) -> None:
        super().__init__(values)
        self.caption = caption

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        yield "score", "value", "best"
        for key, value in self.items():
            name, decimals, best = _SHOWN.get(key, (str(key), 3, ""))
            yield name, "undefined" if np.isnan(value) else f"{value:,.{decimals}f}", best

    def __repr__(self) -> str:
        return "\n".join([self.caption, *(f"{name:<18}{value:>12}{best:>6}" for name, value, best in self._rows())])

    def _repr_html_(self) -> str:
        head, *body = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in self._rows())
        lines = "".join(f"<tr>{row}</tr>" for row in body)
        return (
            f'<table class="dataframe"><caption>{escape(self.caption)}</caption>'
            f"<thead><tr>{head.replace('td>', 'th>')}</tr></thead><tbody>{lines}</tbody></table>"
        )


def report(
    labels: ArrayLike,
    *,
    y: ArrayLike | None = None,
    Z: ArrayLike | None = None,
    sample_size: int | None = 10_000,
    random_state: int = 0,
) -> Report:
    """Compute all scores that the given classes and samples allow.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Clusters.
    y : array-like of shape (n,), optional
        Classes, for the external scores: ``"acc"``, ``"nmi"``, ``"ari"``.
    Z : array-like of shape (n, p), optional
        Samples or codes, for the internal scores: ``"silhouette"``, ``"davies_bouldin"``, ``"calinski_harabasz"``.
    sample_size : int or None, default=10000
        Largest number of samples that the silhouette is computed from. If there are more, so many are drawn at random.
        None takes all.
    random_state : int, default=0
        Seed of the draw.

    Returns
    -------
    Report
        A dictionary of floats. An internal score that is not defined is NaN, shown as "undefined".

    Raises
    ------
    TypeError, ValueError
        If `y` and `Z` are both missing or do not fit `labels`, or labels are missing, fractional or of several kinds.

    Examples
    --------
    >>> from dctutor.metrics import report
    >>> report([0, 0, 1, 1], y=["a", "a", "b", "b"], Z=[[0.0], [1.0], [8.0], [9.0]])
    4 samples in 2 clusters
    score                    value  best
    ACC                      1.000     1
    NMI                      1.000     1
    ARI                      1.000     1
    silhouette               0.875     1
    Davies-Bouldin           0.125     0
    Caliński-Harabasz        128.0  high
    """
    if y is None and Z is None:
        raise ValueError("y, Z: expected classes, samples or both, got neither")
    found = as_groups("labels", labels)
    values: dict[str, float] = {} if y is None else all_scores(y, found, "y")
    n = found.size
    caption = f"{n:,} samples in {len(np.unique(found))} clusters"
    if Z is not None:
        values["silhouette"] = silhouette(Z, found, sample_size=sample_size, random_state=random_state)
        values["davies_bouldin"] = davies_bouldin(Z, found)
        values["calinski_harabasz"] = calinski_harabasz(Z, found)
        if sample_size is not None and sample_size < n:
            caption += f"; silhouette from {sample_size:,} of them"
    return Report(values, caption)
