"""Where a fit runs, in what precision, and what it takes there."""

import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

__all__ = [
    "initial_weights",
    "peak_memory_mb",
    "plain_modes",
    "processor",
    "reset_peak_memory",
    "resolve_device",
    "resolve_precision",
]

_DRAWING, _ENTERING = threading.RLock(), threading.Lock()
_DTYPES: list[torch.dtype] = []  # the default type that each `plain_modes` now open found


def resolve_device(device: str) -> torch.device:
    """Turn ``"auto"`` into CUDA, then MPS, then the CPU; take any other name as PyTorch does.

    Parameters
    ----------
    device : str
        ``"auto"`` or a PyTorch device name.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If the name is not one of a device, or this machine lacks the device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).item()  # a device that is missing, or holds no numbers, fails here
    except (AssertionError, ImportError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"device: expected 'auto' or a PyTorch device of this machine, such as 'cpu', got {device!r} ({error})"
        ) from error
    return found


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Turn ``"auto"`` into bfloat16 where the processor multiplies it natively, else float32.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        What to compute the network in. Losses and cluster statistics stay in float32 regardless.
    device : torch.device
        Where the network runs.

    Returns
    -------
    torch.dtype
        ``torch.bfloat16`` or ``torch.float32``.

    Raises
    ------
    ValueError
        If ``precision`` is none of the three.
    """
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if isinstance(precision, str) and precision in named:
        return named[precision]
    if precision != "auto":
        raise ValueError(f"precision: expected 'auto', 'float32' or 'bfloat16', got {precision!r}")
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere was the first
    else:
        native = device.type == "cpu" and _cpu_has_bfloat16()
    return torch.bfloat16 if native else torch.float32


def _cpu_has_bfloat16() -> bool:
    # oneDNN emulates bfloat16 on older processors, slower than float32: only the instructions count.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def processor(device: torch.device) -> str:
    """Name the GPU, or the CPU with the threads that PyTorch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


@contextmanager
def plain_modes() -> Iterator[None]:
    """Shut out the caller's modes of PyTorch: gradients flow, nothing is cast, new tensors are float32 and on the CPU.

    The default type is one for all threads: the last to leave gives the caller's back.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda", "mps", "xpu"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if not _cpu_is_default():  # otherwise not: this mode slows every operation down
            stack.enter_context(torch.device("cpu"))
        with _ENTERING:
            _DTYPES.append(torch.get_default_dtype())
            if _DTYPES[-1] != torch.float32:
                torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            with _ENTERING:
                found = _DTYPES.pop()
                if not _DTYPES and found != torch.float32:
                    torch.set_default_dtype(found)


def _cpu_is_default() -> bool:
    try:
        # Not torch.get_default_device, which torch 2.6 fails in once a default was set and taken back.
        return torch.empty(0).device.type == "cpu"
    except (AssertionError, RuntimeError):  # a device that this machine lacks
        return False


@contextmanager
def initial_weights(seed: int) -> Iterator[None]:
    """Let layers draw their first weights from the seed, one thread at a time; the caller's random state stays."""
    with _DRAWING, torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would also reseed the caller's CUDA generators.
        torch.default_generator.manual_seed(seed)
        yield


def reset_peak_memory() -> None:
    """Let `peak_memory_mb` count from here on a GPU; a CPU's process remembers its peak."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory_mb(device: torch.device) -> float | None:
    """MiB at the peak: of tensors on a GPU, of the whole process on a CPU; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None  # its Python has no module that tells
    import resource

    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if hasattr(os, "register_at_fork"):
    # The threads that PyTorch computed with are not in a forked child, which would wait for them for ever.
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
