"""Where the data sets are published, and how each is brought into the layout that its reader expects."""

import gzip
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from dctutor.datasets._catalog import Entry

# Tried in this order. MNIST, Fashion-MNIST and ORL have checksums below, so a mirror of them needs no trust. HAPT and
# COIL-20 have none: nobody has published one, and the archives could not be had when this was written. They come over
# https; the zip's own CRCs find accidents; the readers check what is known of labels, features and pixels, and say
# there what such a check cannot find.
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
    "coil-20": (
        "https://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/coil-20/coil-20-proc.zip",
        "https://cave.cs.columbia.edu/old/databases/SLAM_coil-20_coil-100/coil-20/coil-20-proc.zip",
    ),
}
# Of the unpacked file for MNIST and Fashion-MNIST, so that it does not matter who packed it, and how.
SHA256: dict[str, dict[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    "orl": {"olivettifaces.mat": "b612fb967f2dc77c9c62d3e1266e0c73d5fca46a4b8906c18e454d41af987794"},
}
# Bytes that a file may have, as it is published and as it is unpacked. Exact for an idx file, which is larger than
# its packed form. The others: what the published file has (ORL about 4 MB, HAPT 76 MB, COIL-20 12 MB) and some room.
_IDX_BYTES = {
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}
MOST_BYTES: dict[str, dict[str, int]] = {
    "mnist": _IDX_BYTES,
    "fashion": _IDX_BYTES,
    "hapt": {"archive": 100_000_000, "member": 100_000_000},
    "orl": {"olivettifaces.mat": 8_000_000},
    "coil-20": {"archive": 24_000_000, "member": 65_536},  # 128 x 128 bytes, and room for a header
}
TIMEOUT = 30.0  # seconds without a byte before a server counts as unreachable
DEADLINE = 1800.0  # seconds for all files from one address, even if bytes keep coming


class _Limited:
    """An open file that refuses to become larger than `most` bytes."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file = file
        self.most = most

    def write(self, chunk: bytes) -> int:
        if self.file.tell() + len(chunk) > self.most:
            raise OSError(f"expected at most {self.most} bytes, got more")
        return self.file.write(chunk)

    def flush(self) -> None:
        self.file.flush()


def _fetch_file(address: str, target: Path, most: int, until: float) -> Path:
    """Download one file of at most `most` bytes before the moment `until` of `time.monotonic`."""
    import pooch

    failure: list[BaseException] = []
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        # No bar without a terminal's stderr (pythonw, a Windows service).
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr is not None, chunk_size=2**16, timeout=TIMEOUT)
        limited = _Limited(file, most)

        def work() -> None:
            try:
                downloader(address, limited, None)
            except BaseException as error:
                failure.append(error)

        # A server that sends one byte now and then, be it of a header, holds a read for ever. So the download runs in
        # a thread that can be left behind: its file is closed, and its next write ends it.
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        while worker.is_alive():
            if time.monotonic() > until:
                raise OSError(f"the download was not complete after {DEADLINE:g} s")
            worker.join(0.1)  # short, so that Ctrl-C is seen on Windows too
    if failure:
        raise failure[0]
    return target


def _check_sha256(path: Path, expected: str) -> None:
    import pooch

    found = pooch.file_hash(str(path))
    if found != expected:
        raise OSError(f"expected {path.name} with SHA-256 {expected}, got {found}")


def _fetch_images(entry: Entry, address: str, attempt: Path, until: float) -> Path:
    folder = attempt / str(entry.folder)
    for file in entry.files:
        most = MOST_BYTES[entry.name][file]
        packed = _fetch_file(f"{address}{file}.gz", attempt / f"{file}.gz", most, until)
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(packed) as source, (folder / file).open("wb") as copy:
            shutil.copyfileobj(source, _Limited(copy, most))
        _check_sha256(folder / file, SHA256[entry.name][file])
    return folder


def _fetch_hapt(entry: Entry, address: str, attempt: Path, until: float) -> Path:
    most = MOST_BYTES[entry.name]
    archive = _fetch_file(address, attempt / "download.zip", most["archive"], until)
    _unpack(archive, entry.files, attempt / "HAPT", most["member"])
    return attempt / "HAPT"


def _fetch_orl(entry: Entry, address: str, attempt: Path, until: float) -> Path:
    from scipy.io import loadmat

    (file,) = SHA256[entry.name]
    original = _fetch_file(address, attempt / file, MOST_BYTES[entry.name][file], until)
    _check_sha256(original, SHA256[entry.name][file])
    faces = loadmat(original)["faces"].T.reshape(-1, 64, 64).transpose(0, 2, 1)  # MATLAB stores columns
    return _store(entry, attempt, np.round(_shrink(faces)), np.repeat(np.arange(40), 10))


def _fetch_coil(entry: Entry, address: str, attempt: Path, until: float) -> Path:
    most = MOST_BYTES[entry.name]
    archive = _fetch_file(address, attempt / "download.zip", most["archive"], until)
    names = [f"obj{thing}__{turn}.png" for thing in range(1, 21) for turn in range(72)]
    _unpack(archive, tuple(names), attempt / "png", most["member"])
    images = np.stack([_shrink(_read_png(attempt / "png" / name)[None])[0] for name in names])
    return _store(entry, attempt, images / 255, np.repeat(np.arange(20), 72))


def _read_png(path: Path) -> np.ndarray:
    """Grey values, (128, 128), of an image that is PNG whatever else Pillow can read: some formats start programs."""
    from PIL import Image

    with Image.open(path, formats=["PNG"]) as image:  # reads the header only
        if image.size != (128, 128) or image.mode not in ("L", "P", "RGB"):
            raise OSError(f"expected {path.name} of 128x128 pixels, grey or RGB, got {image.size} of mode {image.mode}")
        return np.asarray(image.convert("L"))


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


FETCHERS: dict[str, Callable[[Entry, str, Path, float], Path]] = {
    "mnist": _fetch_images,
    "fashion": _fetch_images,
    "hapt": _fetch_hapt,
    "orl": _fetch_orl,
    "coil-20": _fetch_coil,
}


def _unpack(archive: Path, files: tuple[str, ...], target: Path, most: int, inner: bool = False) -> None:
    """Copy `files`, of at most `most` bytes each, out of a zip, at whatever depth they lie.

    Only these names are ever written, so a member called ``../x`` has nowhere to go. UCI packs some zips into another
    zip: if the files are not in `archive`, they are looked for in the first zip inside it, and no deeper.
    """
    with zipfile.ZipFile(archive) as bundle:
        members = {}  # by the last parts of its name, the member with the shortest path
        depth = max(file.count("/") for file in files) + 1
        for member in sorted(bundle.infolist(), key=lambda info: len(info.filename), reverse=True):
            parts = member.filename.split("/")
            members.update({"/".join(parts[-k:]): member for k in range(1, min(depth, len(parts)) + 1)})
        nested = [member for member in bundle.infolist() if member.filename.endswith(".zip")]
        if nested and not inner and not any(file in members for file in files):
            _extract(bundle, nested[0], archive.with_name("inner.zip"), most)
            return _unpack(archive.with_name("inner.zip"), files, target, most, inner=True)
        for file in files:
            if file not in members:
                raise OSError(f"the archive holds no {file}")
            _extract(bundle, members[file], target / file, most)


def _extract(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, most: int) -> None:
    if member.file_size > most:  # zipfile gives no more than this size, so it cannot lie
        raise OSError(f"expected {member.filename} of at most {most} bytes, got {member.file_size}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with bundle.open(member) as source, path.open("wb") as copy:
        shutil.copyfileobj(source, copy)
