"""The network that changes nothing, for methods that cluster the data as they are."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Identity"]


class Identity(nn.Module):
    """Code and reconstruction are the input.

    Parameters
    ----------
    n_features : int
        Input width d.

    Attributes
    ----------
    embedding_dim : int
        The same width.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.embedding_dim = n_features

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return ``x``."""
        return x

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return ``z``."""
        return z

    def layer_outputs(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n d"]]:
        """Return ``x`` as the only layer."""
        return [x]

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Return ``x``."""
        return x
