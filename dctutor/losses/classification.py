"""Classification into clusters: the clustering loss of CCNN (survey 3.2.4)."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dctutor.losses._common import check_labels
from dctutor.losses._precision import in_float32

__all__ = ["cluster_classification"]


@in_float32
def cluster_classification(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    r"""Cross-entropy of a classifier whose classes are the clusters (Hsu and Lin 2018; survey 3.2.4).

    .. math:: L_{cc} = -\frac{1}{N} \sum_i \log q_{i c_i}, \qquad q_i = \mathrm{softmax}(\ell_i)

    The labels are those of the last clustering of the codes: no true class enters.

    Parameters
    ----------
    logits : Tensor of shape (n, k)
        The classifier's outputs :math:`\ell_i`, before the softmax.
    labels : Tensor of shape (n,)
        The cluster :math:`c_i` of each sample.

    Returns
    -------
    Tensor of shape ()
        The loss in nats, at least 0.

    Raises
    ------
    TypeError, ValueError
        If ``labels`` is not one integer per sample, or, on a CPU, if one of them is not a column of ``logits``.
    """
    labels = check_labels(labels, len(logits), "one per row of logits", logits.shape[1])
    return functional.cross_entropy(logits, labels)
