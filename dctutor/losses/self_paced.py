"""Which samples count yet: weights of self-paced learning (Kumar, Packer & Koller 2010; Guo et al. 2020)."""

from jaxtyping import Float
from torch import Tensor

from dctutor._validation import check_number
from dctutor.losses._precision import in_float32

__all__ = ["self_paced_weights"]


@in_float32
def self_paced_weights(losses: Float[Tensor, " n"], progress: float) -> Float[Tensor, " n"]:
    r"""Weight 1 for easy samples, 0 for those that have to wait (Guo et al. 2020, eq. 10).

    .. math:: v_i = \begin{cases} 1 & \ell_i < \lambda \\ 0 & \text{otherwise} \end{cases}, \qquad
              \lambda = \operatorname{mean}(\ell) + \frac{t}{T} \operatorname{std}(\ell)

    For a given threshold :math:`\lambda` these weights minimise :math:`\sum_i v_i \ell_i - \lambda \sum_i v_i` over
    :math:`v_i \in [0, 1]`. The threshold follows the losses, so that it needs no scale of its own.

    Parameters
    ----------
    losses : Tensor of shape (n,)
        Loss of each sample. Mean and standard deviation are those of the rows given, so pass the whole data set.
    progress : float
        The fraction :math:`t / T` of training that is done, in [0, 1].

    Returns
    -------
    Tensor of shape (n,)
        0 or 1. If all losses agree, all are 0. No gradient flows through it.

    Raises
    ------
    TypeError, ValueError
        If ``losses`` is not 1-D with at least one entry, or ``progress`` is out of its range.

    References
    ----------
    Kumar, Packer & Koller (2010). Self-paced learning for latent variable models. NIPS.
    """
    if losses.ndim != 1 or not len(losses):
        raise ValueError(f"losses: expected shape (n,), one per sample, got {tuple(losses.shape)}")
    check_number("progress", progress, maximum=1)
    losses = losses.detach()
    return (losses < losses.mean() + progress * losses.std(correction=0)).to(losses)
