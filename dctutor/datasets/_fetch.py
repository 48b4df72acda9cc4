"""Find a data set on this computer, or download it so that no reader ever meets half of one."""

import os
import shutil
import socket
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dctutor.datasets._catalog import DatasetUnavailableError, Entry
from dctutor.datasets._read import read_hapt, read_hapt_names, read_images

# Tried in this order. torchvision holds the MD5 of each image file, so a mirror needs no trust. HAPT has no
# published checksum: the zip's own CRCs and the check of rows, features and labels stand in for one.
SOURCES: dict[str, tuple[str, ...]] = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    "fashion": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    "hapt": (
        "https://archive.ics.uci.edu/static/public/341/"
        "smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
        "https://archive.ics.uci.edu/ml/machine-learning-databases/00341/HAPT%20Data%20Set.zip",
    ),
}
TIMEOUT = 30.0  # seconds without a byte before a server counts as unreachable
_TIMEOUT_LOCK = threading.Lock()


def data_folder(data_home: Path | None) -> Path:
    """`data_home`, else ``$DCTUTOR_DATA``, else the platform's cache folder."""
    if data_home is not None:
        return data_home.expanduser()
    if os.environ.get("DCTUTOR_DATA"):
        return Path(os.environ["DCTUTOR_DATA"]).expanduser()
    import pooch

    return Path(pooch.os_cache("dctutor"))


def missing_files(entry: Entry, home: Path) -> list[str]:
    """Files of `entry` that are not below `home`, relative to the set's folder."""
    return [file for file in entry.files if not (home / str(entry.folder) / file).is_file()]


def locate(entry: Entry, data_home: Path | None, download: bool) -> Path:
    """Return the folder that holds all files of `entry`, after downloading them if need be.

    Raises
    ------
    DatasetUnavailableError
        If files are missing and `download` is False or no address gave the data. Nothing is left behind.
    """
    home = data_folder(data_home)
    folder = home / str(entry.folder)
    missing = missing_files(entry, home)
    if not missing:
        return folder
    if not download:
        raise _unavailable(entry, folder, f"missing {', '.join(missing)}, and download=False")
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename on one file system.
        with tempfile.TemporaryDirectory(prefix=f".{entry.name}-", dir=home) as stage:
            _install(_download(entry, Path(stage)), folder, entry.files)
    except OSError as error:
        raise _unavailable(entry, folder, " ".join(str(error).split())) from error
    return folder


def _download(entry: Entry, stage: Path) -> Path:
    """Try each address in turn; return a folder inside `stage` with the checked files and nothing else."""
    failures = []
    for number, address in enumerate(SOURCES[entry.name]):
        attempt = stage / str(number)
        try:
            fetched = (_fetch_hapt if entry.name == "hapt" else _fetch_images)(entry, address, attempt)
            for split, _ in entry.sizes:
                read_hapt(fetched, split) if entry.name == "hapt" else read_images(entry, fetched, split)
            if entry.name == "hapt":
                read_hapt_names(fetched)
            return fetched
        except Exception as error:  # whatever network, archive, parser or disk did, the next address may work
            failures.append(f"{address} gave {type(error).__name__}: {error}")
    raise OSError("; ".join(failures))


def _fetch_images(entry: Entry, address: str, attempt: Path) -> Path:
    import torchvision.datasets

    base = getattr(torchvision.datasets, str(entry.folder).split("/")[0])
    one_mirror = type(base.__name__, (base,), {"mirrors": [address]})
    with _socket_timeout():
        one_mirror(attempt, download=True)
    for packed in (attempt / str(entry.folder)).glob("*.gz"):
        packed.unlink()
    return attempt / str(entry.folder)


def _fetch_hapt(entry: Entry, address: str, attempt: Path) -> Path:
    import pooch

    attempt.mkdir()
    archive = attempt / "download.zip"
    pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)(address, str(archive), None)
    with archive.open("rb") as file:
        _unpack(file, entry.files, attempt / "HAPT")
    return attempt / "HAPT"


def _unpack(archive: IO[bytes], files: tuple[str, ...], target: Path) -> None:
    """Copy `files` out of a zip, at whatever depth they lie, also out of a zip inside it.

    Only these names are ever written, so a member called ``../x`` has nowhere to go.
    """
    with zipfile.ZipFile(archive) as bundle:
        names = bundle.namelist()
        inner = [name for name in names if name.endswith(".zip")]
        if inner and not any(name.endswith(files[-1]) for name in names):
            with bundle.open(inner[0]) as nested:
                return _unpack(nested, files, target)
        for file in files:
            found = [name for name in names if f"/{name}".endswith(f"/{file}")]
            if not found:
                raise OSError(f"the archive holds no {file}")
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            with bundle.open(min(found, key=len)) as source, (target / file).open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _install(ready: Path, folder: Path, files: tuple[str, ...]) -> None:
    """Move the checked set in place: as one folder, or file by file into a folder that lacks some."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        ready.rename(folder)
    except OSError:  # the folder exists: another process was faster, or the user's copy is incomplete
        for file in files:
            if not (folder / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (ready / file).replace(folder / file)


@contextmanager
def _socket_timeout() -> Iterator[None]:
    # torchvision opens its addresses without a limit, so a silent server would hang the caller for ever.
    # The limit is the process's own, hence the lock: threads that overlap would restore each other's value.
    with _TIMEOUT_LOCK:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(TIMEOUT)
        try:
            yield
        finally:
            socket.setdefaulttimeout(before)


def _unavailable(entry: Entry, folder: Path, why: str) -> DatasetUnavailableError:
    what = "the archive" if entry.name == "hapt" else ", ".join(f"{file}.gz" for file in entry.files)
    return DatasetUnavailableError(
        f"The data set {entry.name!r} is not available: {why}.\n"
        f"It was looked for in {folder}\n"
        f"Without a network: on another computer fetch {what} from {SOURCES[entry.name][0]} , unpack, and "
        f"copy {', '.join(entry.files)} into that folder. Or set the environment variable DCTUTOR_DATA to a "
        f"folder that holds {entry.folder} already."
    )
