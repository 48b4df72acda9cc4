"""Group sparsity: the clustering loss of DEN (survey 3.2.4)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor.losses._precision import in_float32

__all__ = ["group_sparsity"]


@in_float32
def group_sparsity(z: Float[Tensor, "n p"], group_sizes: Sequence[int]) -> Float[Tensor, ""]:
    r"""Pull whole groups of a code's entries to zero (Huang et al. 2014; survey 3.2.4).

    .. math:: L_{gs} = \frac{1}{N} \sum_i \sum_g \sqrt{n_g} \, \lVert z_i^{(g)} \rVert

    The code is cut into groups of :math:`n_g` entries, one group per cluster. A norm that is not squared is the group
    lasso: it pulls as hard on a group of small entries as on one of large ones, so that weak groups reach zero and the
    others say which cluster a sample is in. The square root makes groups of different sizes comparable.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    group_sizes : sequence of int
        Entries of each group, in order; their sum is p.

    Returns
    -------
    Tensor of shape ()
        The mean over samples, in units of ``z``. The gradient of a group that is exactly zero is zero.

    Raises
    ------
    ValueError
        If the sizes are not positive or do not sum to p.
    """
    sizes = list(group_sizes)
    if sum(sizes) != z.shape[1] or min(sizes) < 1:
        raise ValueError(f"group_sizes: expected positive sizes that sum to {z.shape[1]}, the width of z, got {sizes}")
    groups = z.split(sizes, dim=1)
    return sum(
        size**0.5 * torch.linalg.vector_norm(part, dim=1).mean() for size, part in zip(sizes, groups, strict=True)
    )
