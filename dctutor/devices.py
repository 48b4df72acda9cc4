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
    "evaluation_rows",
    "peak_memory_mb",
    "plain_modes",
    "processor",
    "reset_peak_memory",
    "resolve_device",
    "resolve_precision",
]


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
    """Shut out the caller's modes of PyTorch: gradients flow, no casts, new tensors are float32 and on the CPU."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda", "mps", "xpu"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if not _cpu_is_default():  # otherwise not: this mode slows every operation down
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_float32_by_default())
        yield


_lock = threading.Lock()
_defaults: list[torch.dtype] = []  # one per block now open; the first is the caller's


@contextmanager
def _float32_by_default() -> Iterator[None]:
    # The default type belongs to the process: the first block to begin sets it, the last to end restores it.
    with _lock:
        _defaults.append(torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _lock:
            dtype = _defaults.pop()
            if not _defaults:
                torch.set_default_dtype(dtype)


def _cpu_is_default() -> bool:
    try:
        # Not torch.get_default_device, which torch 2.6 fails in once a default was set and taken back.
        return torch.empty(0).device.type == "cpu"
    except (AssertionError, RuntimeError):  # a device that this machine lacks
        return False


def evaluation_rows(width: int) -> int:
    """Rows that are computed at a time outside of training, so that a block of wide samples fits the memory.

    Parameters
    ----------
    width : int
        Numbers per row.

    Returns
    -------
    int
        4,096, or fewer where a row has more than 1,000 numbers.
    """
    return max(1, min(4096, 4_096_000 // max(width, 1)))


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
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
