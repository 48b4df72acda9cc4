"""What JULE asks of clusters that are to be merged, and of the samples in them (survey 3.2.4; Yang et al. 2016)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dctutor._validation import check_integer, check_number
from dctutor.losses._common import check_labels, check_same_shape
from dctutor.losses._precision import in_float32

__all__ = ["cluster_affinity", "merging", "triplet"]


@in_float32
def cluster_affinity(w: Float[Tensor, "n n"], labels: Int[Tensor, " n"], n_clusters: int) -> Float[Tensor, "k k"]:
    r"""How strongly clusters are tied to each other in a graph of their samples (Zhang et al. 2012).

    .. math:: A(C_i, C_j) = \frac{1}{|C_i|^2} \mathbf{1}^T W_{ij} W_{ji} \mathbf{1}
                          + \frac{1}{|C_j|^2} \mathbf{1}^T W_{ji} W_{ij} \mathbf{1}

    :math:`W_{ij}` holds the weights of the edges from members of cluster i to members of cluster j. Only a sample that
    edges both enter and leave counts: one stray edge ties nothing.

    Parameters
    ----------
    w : Tensor of shape (n, n)
        Weight of the edge from one sample to another, 0 if there is none.
    labels : Tensor of shape (n,)
        The cluster of each sample, 0 to k - 1.
    n_clusters : int
        Their number k.

    Returns
    -------
    Tensor of shape (k, k)
        Symmetric. The diagonal says how strongly a cluster is tied to itself; empty clusters have 0.

    Raises
    ------
    TypeError, ValueError
        If ``w`` is not square, or ``labels`` is not one integer per sample, 0 to k - 1.
    """
    if w.ndim != 2 or w.shape[0] != w.shape[1]:
        raise ValueError(f"w: expected shape (n, n), got {tuple(w.shape)}")
    labels = check_labels(labels, len(w), "one per row of w", n_clusters)
    member = functional.one_hot(labels, n_clusters).to(w.dtype)
    size = member.sum(0).clamp_min(1)
    entering, leaving = w.T @ member, w @ member  # of each sample: from, and to, each cluster
    # A path from cluster i through a member b of j back to i weighs entering[b, i] * leaving[b, i].
    paths = (entering * leaving).T @ member / size.square().unsqueeze(1)
    return paths + paths.T


@in_float32
def merging(
    affinity: Float[Tensor, "k k"], cluster: int, *, n_neighbors: int = 5, weight: float = 1.0
) -> Float[Tensor, ""]:
    r"""Cost of merging a cluster with the one that it is most tied to (Yang et al. 2016; survey 3.2.4).

    .. math:: L = -A(C_i, N_1) - \frac{\lambda}{K_c - 1} \sum_{k=2}^{K_c} \big(A(C_i, N_1) - A(C_i, N_k)\big)

    :math:`N_1, \dots, N_{K_c}` are the clusters that :math:`C_i` is most tied to, in that order. Low means: strongly
    tied to the first, weakly to the others.

    Parameters
    ----------
    affinity : Tensor of shape (k, k)
        As from `cluster_affinity`.
    cluster : int
        The index i of the cluster.
    n_neighbors : int
        :math:`K_c`, at least 2; all other clusters if there are fewer.
    weight : float
        :math:`\lambda \geq 0`.

    Returns
    -------
    Tensor of shape ()
        The loss, in units of the affinity.

    Raises
    ------
    TypeError, ValueError
        If ``affinity`` is not square with at least two clusters, or another argument is out of its range.
    """
    k = affinity.shape[0]
    if affinity.shape != (k, k) or k < 2:
        raise ValueError(f"affinity: expected shape (k, k) with k of at least 2, got {tuple(affinity.shape)}")
    if check_integer("cluster", cluster, minimum=0) >= k:
        raise ValueError(f"cluster: expected an index from 0 to {k - 1}, got {cluster}")
    check_integer("n_neighbors", n_neighbors, minimum=2)
    check_number("weight", weight)
    others = torch.cat([affinity[cluster, :cluster], affinity[cluster, cluster + 1 :]])
    first, *rest = others.topk(min(n_neighbors, k - 1)).values
    if not rest:
        return -first
    return -first - weight * (first - torch.stack(rest)).mean()


@in_float32
def triplet(
    anchor: Float[Tensor, "t p"],
    positive: Float[Tensor, "t p"],
    negative: Float[Tensor, "t p"],
    *,
    gamma: float = 1.0,
    margin: float = 0.2,
) -> Float[Tensor, ""]:
    r"""The form of `merging` that trains JULE's network: on samples in place of clusters (Yang et al. 2016).

    .. math:: L = \frac{1}{T} \sum \max\big(0, \gamma \lVert z_a - z_p \rVert^2 - \lVert z_a - z_n \rVert^2 + m\big)

    The anchor and the positive are of one cluster, the negative of another one. The margin m ends the push: once
    clusters are far enough apart, nothing is gained by driving them further.

    Parameters
    ----------
    anchor, positive, negative : Tensor of shape (t, p)
        Embedded samples, one triplet per row. JULE scales codes to unit length.
    gamma : float
        Weight of the pull, positive. The authors' code takes 1 to 2.
    margin : float
        :math:`m \geq 0`, in squared units of the codes. The authors' code takes 0.2 to 1.

    Returns
    -------
    Tensor of shape ()
        The mean over triplets, at least 0.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ, or ``gamma`` or ``margin`` is out of its range.
    """
    for name, value in (("positive", positive), ("negative", negative)):
        check_same_shape(name, value, "anchor", anchor)
    check_number("gamma", gamma, open_at_minimum=True)
    check_number("margin", margin)
    pull = (anchor - positive).square().sum(1)
    push = (anchor - negative).square().sum(1)
    return (gamma * pull - push + margin).relu().mean()
