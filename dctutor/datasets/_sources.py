"""Where the data sets are published, and how each is brought into the layout that its reader expects."""

import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from dctutor.datasets._catalog import Entry

# Tried in this order. torchvision holds the MD5 of each MNIST file, so a mirror needs no trust; that of ORL is below.
# HAPT and COIL-20 have no published checksum: the zip's own CRCs and a look at every row stand in for one.
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
    # The copy that sklearn.datasets.fetch_olivetti_faces takes, 64x64 pixels.
    "orl": ("https://ndownloader.figshare.com/files/5976027", "https://cs.nyu.edu/~roweis/data/olivettifaces.mat"),
    "coil-20": ("http://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/coil-20/coil-20-proc.zip",),
}
ORL_SHA256 = "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794"
TIMEOUT = 30.0  # seconds without a byte before a server counts as unreachable
_TIMEOUT_LOCK = threading.Lock()


def _fetch_images(entry: Entry, address: str, attempt: Path) -> Path:
    import torchvision.datasets

    base = getattr(torchvision.datasets, str(entry.folder).split("/")[0])
    one_mirror = type(base.__name__, (base,), {"mirrors": [address]})
    with _socket_timeout():
        one_mirror(attempt, download=True)
    for packed in (attempt / str(entry.folder)).glob("*.gz"):
        packed.unlink()
    return attempt / str(entry.folder)


def _fetch_file(address: str, target: Path) -> Path:
    import pooch

    target.parent.mkdir()
    pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)(address, str(target), None)
    return target


def _fetch_hapt(entry: Entry, address: str, attempt: Path) -> Path:
    archive = _fetch_file(address, attempt / "download.zip")
    _unpack(archive, entry.files, attempt / "HAPT")
    return attempt / "HAPT"


def _fetch_orl(entry: Entry, address: str, attempt: Path) -> Path:
    import pooch
    from scipy.io import loadmat

    original = _fetch_file(address, attempt / "download.mat")
    found = pooch.file_hash(str(original))
    if found != ORL_SHA256:
        raise OSError(f"expected a file with SHA-256 {ORL_SHA256}, got {found}")
    faces = loadmat(original)["faces"].T.reshape(-1, 64, 64).transpose(0, 2, 1)  # MATLAB stores columns
    return _store(entry, attempt, np.round(_shrink(faces)), np.repeat(np.arange(40), 10))


def _fetch_coil(entry: Entry, address: str, attempt: Path) -> Path:
    from PIL import Image

    archive = _fetch_file(address, attempt / "download.zip")
    names = [f"obj{thing}__{turn}.png" for thing in range(1, 21) for turn in range(72)]
    _unpack(archive, tuple(names), attempt / "png")
    images = [np.asarray(Image.open(attempt / "png" / name).convert("L")) for name in names]
    return _store(entry, attempt, _shrink(np.stack(images)) / 255, np.repeat(np.arange(20), 72))


def _shrink(images: np.ndarray) -> np.ndarray:
    """Mean over blocks, so that (n, 32 m, 32 m) becomes (n, 32, 32)."""
    n, height, width = images.shape
    return images.reshape(n, 32, height // 32, 32, width // 32).mean((2, 4))


def _store(entry: Entry, attempt: Path, images: np.ndarray, y: np.ndarray) -> Path:
    """Write the MATLAB file that these two sets are commonly passed on as: labels from 1, images by columns."""
    from scipy.io import savemat

    folder = attempt / str(entry.folder)
    folder.mkdir()
    columns = images.transpose(0, 2, 1).reshape(len(images), -1)
    savemat(folder / entry.files[0], {"fea": columns, "gnd": y[:, None] + 1}, do_compression=True)
    return folder


FETCHERS: dict[str, Callable[[Entry, str, Path], Path]] = {
    "mnist": _fetch_images,
    "fashion": _fetch_images,
    "hapt": _fetch_hapt,
    "orl": _fetch_orl,
    "coil-20": _fetch_coil,
}


def _unpack(archive: Path | IO[bytes], files: tuple[str, ...], target: Path) -> None:
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
