"""Tensors and facts in one file: safetensors for the numbers, JSON for the rest, and a digest over both.

Nothing here unpickles, so reading a file never runs code from it.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

__all__ = ["FileFormatError", "raw_bytes", "read_file", "write_file"]


class FileFormatError(ValueError):
    """A saved model or checkpoint that is cut short, altered, or not one at all."""


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    total = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        array = tensors[name]
        total.update(f"{name}|{array.dtype}|{tuple(array.shape)}|".encode())
        total.update(raw_bytes(array))
    return total.hexdigest()


def raw_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor on the CPU, also of a type that NumPy does not have."""
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def write_file(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON facts to ``path``, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file to write. Its folder must exist.
    tensors : mapping of str to Tensor
        Copied to the CPU before they are written.
    facts : mapping
        Anything that JSON can hold.

    Raises
    ------
    FileNotFoundError
        If the folder of ``path`` does not exist.
    FileExistsError
        If ``path`` is a folder or another thing that is no file.
    TypeError
        If JSON cannot hold ``facts``.
    """
    given, path = os.fspath(path), Path(path).resolve()  # a link stays one: what it leads to is written
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: there is no folder {str(path.parent)!r} to write {path.name!r} into")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"path: expected a file, new or to be replaced, got {given!r}, which is something else")
    # Clones: safetensors refuses tensors that share memory (tied weights, views of one buffer).
    cpu = {name: value.detach().to("cpu").contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(facts)
    payload = safetensors.torch.save(cpu, metadata={"facts": text, "sha256": _digest(cpu, text)})
    # A temporary file in the same folder, then a rename: a reader sees the old file or the new, never a part.
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_file` wrote.

    Parameters
    ----------
    path : path-like
        The file to read.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    facts : dict
        What was stored beside them.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    FileFormatError
        If the file is cut short, was altered after it was written, or is of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {str(path)!r}")
    path.open("rb").close()  # a file that may not be read is not a damaged one
    try:
        with safetensors.safe_open(str(path), framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise FileFormatError(f"path: {str(path)!r} is cut short or is not a dctutor file ({error})") from error
    if not {"facts", "sha256"} <= metadata.keys():
        raise FileFormatError(f"path: {str(path)!r} is a safetensors file, but dctutor did not write it")
    if _digest(tensors, metadata["facts"]) != metadata["sha256"]:
        raise FileFormatError(f"path: {str(path)!r} was altered after it was written: its checksum does not match")
    # Copies: what safetensors hands out is a window on the file, which may be changed later, or cut short.
    return {name: tensor.clone() for name, tensor in tensors.items()}, json.loads(metadata["facts"])
