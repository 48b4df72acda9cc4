"""Mini-batch k-means, in pieces that a method can put a training step between."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["mean_of_members", "move_centers", "nearest_members"]


def nearest_members(z: Float[Tensor, "n p"], centers: Float[Tensor, "k p"], labels: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` members of each cluster that lie nearest to its centre.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as the features of a batch.
    centers : Tensor of shape (K, p)
        Cluster centres.
    labels : Tensor of shape (n,)
        The cluster of each sample.
    count : int
        Members per cluster; all of them if there are fewer.

    Returns
    -------
    Tensor of shape (m,)
        Indices of rows of ``z``, in increasing order.

    Examples
    --------
    >>> import torch
    >>> from dctutor.classical import nearest_members
    >>> z = torch.tensor([[0.0], [3.0], [1.0], [9.0]])
    >>> nearest_members(z, torch.tensor([[1.0], [9.0]]), torch.tensor([0, 0, 0, 1]), 2)
    tensor([0, 2, 3])
    """
    distances = (z - centers[labels]).square().sum(1)
    order = distances.argsort(stable=True)
    order = order[labels[order].argsort(stable=True)]  # by cluster, and by distance within each
    sizes = torch.bincount(labels, minlength=len(centers))
    first = sizes.cumsum(0) - sizes
    rank = torch.arange(len(z), device=z.device) - first[labels[order]]
    return order[rank < count].sort().values


def move_centers(
    centers: Float[Tensor, "k p"], counts: Float[Tensor, " k"], sums: Float[Tensor, "k p"], sizes: Float[Tensor, " k"]
) -> tuple[Tensor, Tensor]:
    r"""Take one step of mini-batch k-means (Sculley 2010).

    .. math:: n_k \leftarrow n_k + m_k, \qquad c_k \leftarrow c_k + \frac{1}{n_k} \sum_{i \in k} (z_i - c_k)

    A centre stays the mean of all samples that it has ever been given. A cluster without a member stays where it is.

    Parameters
    ----------
    centers : Tensor of shape (K, p)
        Cluster centres :math:`c_k`.
    counts : Tensor of shape (K,)
        Samples :math:`n_k` that each centre is the mean of so far.
    sums : Tensor of shape (K, p)
        Sum of the batch's samples in each cluster.
    sizes : Tensor of shape (K,)
        Number :math:`m_k` of them.

    Returns
    -------
    centers, counts : Tensor
        The new ones.
    """
    counts = counts + sizes
    step = (sums - sizes[:, None] * centers) / counts.clamp_min(1)[:, None]
    return centers + step, counts


def mean_of_members(sums: Float[Tensor, "k p"], sizes: Float[Tensor, " k"]) -> Float[Tensor, "k p"]:
    """Mean of each cluster from the sums of its members; the mean of all samples where a cluster has no member.

    Parameters
    ----------
    sums : Tensor of shape (K, p)
        Sum of the members of each cluster.
    sizes : Tensor of shape (K,)
        Number of them.

    Returns
    -------
    Tensor of shape (K, p)
        One mean per cluster.
    """
    overall = sums.sum(0) / sizes.sum().clamp_min(1)
    return torch.where(sizes[:, None] > 0, sums / sizes.clamp_min(1)[:, None], overall)
