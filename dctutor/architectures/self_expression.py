"""The self-expressive layer of deep subspace clustering."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer

__all__ = ["SelfExpression"]


class SelfExpression(nn.Module):
    r"""A linear layer over *samples*: each code becomes a weighted sum of the others (Ji et al. 2017).

    .. math:: \hat Z = C Z, \qquad c_{ii} = 0

    The rows of Z are the samples; the paper puts them in columns and writes :math:`Z C`. The layer has one weight per
    pair of samples. It needs all samples at once, and its memory grows with the square of their number.

    Parameters
    ----------
    n_samples : int
        Number of samples, n.

    Attributes
    ----------
    weight : nn.Parameter of shape (n, n)
        The coefficients. The diagonal has no effect. All start at 1e-8, as in the authors' code.
    """

    def __init__(self, n_samples: int) -> None:
        super().__init__()
        n_samples = check_integer("n_samples", n_samples, minimum=1)
        self.weight = nn.Parameter(torch.full((n_samples, n_samples), 1e-8))

    @property
    def coefficients(self) -> Float[Tensor, "n n"]:
        """C: row i says how sample i is made of the others. The diagonal is zero, as no sample may explain itself."""
        return self.weight - self.weight.diag().diag()

    def forward(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """Express every code through the others, in float32 even under autocast."""
        with torch.autocast(z.device.type, enabled=False):
            return self.coefficients @ z.to(self.weight.dtype)
