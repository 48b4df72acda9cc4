"""Random draws that flow from a seed, and leave the caller's random state as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["borrowed_generators", "derived_seed", "initial_weights"]

# Operations that draw random numbers. The functions of `torch.nn.init` reach a mode whole, not through these.
_DRAWS = {
    torch.bernoulli,
    torch.multinomial,
    torch.normal,
    torch.rand,
    torch.randint,
    torch.randn,
    torch.randperm,
    *(getattr(Tensor, f"{name}_") for name in ("bernoulli", "cauchy", "exponential", "geometric", "log_normal")),
    *(Tensor.normal_, Tensor.random_, Tensor.uniform_),
}
_DETERMINISTIC = {nn.init.constant_, nn.init.dirac_, nn.init.eye_, nn.init.ones_, nn.init.zeros_}


def derived_seed(seed: int, *key: int) -> int:
    """Seed of a stream of its own, named by ``key``: unlike ``seed``, and unlike that of any other key."""
    return int(np.random.SeedSequence([seed, *key]).generate_state(1, np.uint64)[0] >> 1)


class initial_weights(TorchFunctionMode):
    """Let layers that are made in this context draw their initial weights from a seed.

    The draws come from a generator of this context's own, so that neither the caller's random state nor other threads
    are touched. Layers on other devices than the CPU draw as they always do.

    Parameters
    ----------
    seed : int
        The seed.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _DRAWS or getattr(func, "__module__", None) == "torch.nn.init":
            like = next((value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)), None)
            device = torch.device(kwargs.get("device") or "cpu") if like is None else like.device
            if device.type == "cpu" and kwargs.get("generator") is None and func not in _DETERMINISTIC:
                kwargs["generator"] = self.generator
        return func(*args, **kwargs)


@contextmanager
def borrowed_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch's global generators, for layers that know no other, such as dropout; give them back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
