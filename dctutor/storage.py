"""Files written whole or not at all; tensors and facts in one of them.

A model or checkpoint is safetensors for the numbers, JSON for the rest, and a digest over both, which tells damage
but is no signature. Nothing here unpickles, so reading a file never runs code from it.
"""

import hashlib
import json
import os
import platform
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

__all__ = ["FileFormatError", "check_writable", "raw_bytes", "read_file", "write_file", "write_text"]

_TRIAL = bytes(2**16)  # more than the few bytes that a full disk may still hold
_writing: set[Path] = set()  # temporary files that this process is writing now


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
    """Return the bytes of a tensor on the CPU, including one of a type that NumPy does not have."""
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def write_file(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], facts: Mapping[str, Any], *, argument: str = "path"
) -> None:
    """Write tensors and JSON facts to ``path``, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file to write. Its folder must exist. A file that is there keeps its mode.
    tensors : mapping of str to Tensor
        Copied to the CPU before they are written.
    facts : mapping
        Anything that JSON can hold.
    argument : str, default="path"
        What the caller's user knows ``path`` as; error messages start with it.

    Raises
    ------
    FileNotFoundError
        If the folder of ``path`` does not exist.
    FileExistsError
        If ``path`` is a folder or another thing that is no file.
    OSError
        If the file cannot be written: the disk is full, or the folder may not be written to.
    TypeError
        If ``path`` is no path, or JSON cannot hold ``facts``.
    """
    _target(path, argument)  # before the work of putting the content together
    # Clones: safetensors refuses tensors that share memory (tied weights, views of one buffer).
    cpu = {name: value.detach().to("cpu").contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(facts)
    content = safetensors.torch.save(cpu, metadata={"facts": text, "sha256": _digest(cpu, text)})
    _write(path, content, argument)


def write_text(path: str | os.PathLike[str], text: str, *, argument: str = "path") -> None:
    """Write text to ``path`` in UTF-8, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file to write. Its folder must exist. A file that is there keeps its mode.
    text : str
        Its whole content; line ends are written as they are.
    argument : str, default="path"
        What the caller's user knows ``path`` as; error messages start with it.

    Raises
    ------
    OSError, TypeError
        As `write_file`.
    """
    _write(path, text.encode(), argument)


def check_writable(path: str | os.PathLike[str], *, argument: str = "path") -> None:
    """Raise what `write_file` would, found out by writing a little; ``path`` itself is left alone.

    Parameters
    ----------
    path : path-like
        A file to be written later.
    argument : str, default="path"
        As for `write_file`.

    Raises
    ------
    OSError, TypeError
        As `write_file`.
    """
    _write(path, _TRIAL, argument, keep=False)


def _write(path: str | os.PathLike[str], content: bytes, argument: str, *, keep: bool = True) -> None:
    target, mode = _target(path, argument)
    # A temporary file in the same folder, then a rename: a reader sees the old file or the new, never a part. The name
    # says whose it is, so that the next write knows what a killed process left. Names have 255 bytes at most.
    name = os.fsencode(target.name)[:180].decode(errors="ignore")
    prefix = f".{name}.tmp-{platform.node()[:30]}-"
    with _os_errors(path, argument, "written"):
        _remove_stale(target.parent, prefix)
        temporary = target.with_name(f"{prefix}{os.getpid()}-{uuid.uuid4().hex[:8]}")
        _writing.add(temporary)
        try:
            with temporary.open("xb") as file:
                if mode is not None and mode != stat.S_IMODE(temporary.stat().st_mode):
                    temporary.chmod(mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if keep:
                temporary.replace(target)
            else:
                temporary.unlink()
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        finally:
            _writing.discard(temporary)


def _target(path: str | os.PathLike[str], argument: str) -> tuple[Path, int | None]:
    """Return the file that ``path`` leads to and, if it exists, its mode; raise if it can be no file."""
    try:
        # A link stays one: what it leads to is written.
        target = Path(os.path.realpath(path))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{argument}: expected the path of a file, got {path!r} ({error})") from error
    with _os_errors(path, argument, "written"):
        try:
            mode = target.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = None
        folder = target.parent.is_dir()
    if not folder:
        raise FileNotFoundError(f"{argument}: there is no folder {str(target.parent)!r} to write {target.name!r} into")
    if mode is not None and not stat.S_ISREG(mode):
        raise FileExistsError(
            f"{argument}: expected a file, new or to be replaced, got {os.fspath(path)!r}, which is something else"
        )
    return target, None if mode is None else stat.S_IMODE(mode)


def _remove_stale(folder: Path, prefix: str) -> None:
    """Remove what processes that are dead began to write."""
    with suppress(OSError):  # a folder may be written to, yet not listed
        for entry in os.scandir(folder):
            owner, _, rest = entry.name.removeprefix(prefix).partition("-")
            if entry.name.startswith(prefix) and rest and owner.isdecimal():
                stale = folder / entry.name
                if (stale not in _writing) if int(owner) == os.getpid() else not _alive(int(owner)):
                    with suppress(OSError):
                        stale.unlink()


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # not known: there, os.kill would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it is another user's; or no process has such a number
    return True


@contextmanager
def _os_errors(path: str | os.PathLike[str], argument: str, done: str) -> Iterator[None]:
    """Turn an error of the operating system into one that names the argument and the file that the user asked for."""
    try:
        yield
    except OSError as error:
        told = type(error)(f"{argument}: {os.fspath(path)!r} cannot be {done} ({error.strerror or error})")
        told.errno = error.errno
        raise told from error


def read_file(path: str | os.PathLike[str], *, argument: str = "path") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_file` wrote.

    Parameters
    ----------
    path : path-like
        The file to read.
    argument : str, default="path"
        What the caller's user knows ``path`` as; error messages start with it.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    facts : dict
        What was stored beside them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be read, such as for want of permission.
    FileFormatError
        If the file is cut short, was altered after it was written, or is of another kind.
    TypeError
        If ``path`` is no path.
    """
    try:
        given = os.fspath(path)
        path = Path(path)
    except TypeError as error:
        raise TypeError(f"{argument}: expected the path of a file, got {path!r} ({error})") from error
    with _os_errors(path, argument, "read"):
        file = path.open("rb") if path.is_file() else None  # a pipe would keep the reader waiting
    if file is None:
        raise FileNotFoundError(f"{argument}: there is no file {given!r}")
    try:
        # Only a file as long as its header says is read into memory. It is read once: what the digest is taken of is
        # what the tensors are made from, whoever writes to the file meanwhile.
        with file, safetensors.safe_open(given, framework="pt"):
            content = file.read()
        tensors = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__") or {}
        ours = {"facts", "sha256"} <= metadata.keys()
        whole = ours and _digest(tensors, metadata["facts"]) == metadata["sha256"]
        facts = json.loads(metadata["facts"]) if whole else None
    except Exception as error:  # of any kind: a hostile file reaches deep into two libraries
        raise FileFormatError(f"{argument}: {given!r} is cut short or is not a dctutor file ({error})") from error
    if not ours:
        raise FileFormatError(f"{argument}: {given!r} is a safetensors file, but dctutor did not write it")
    if not whole:
        raise FileFormatError(f"{argument}: {given!r} was altered after it was written: its checksum does not match")
    if not isinstance(facts, dict):
        raise FileFormatError(f"{argument}: {given!r} is not a dctutor file: its facts are not named")
    return tensors, facts
