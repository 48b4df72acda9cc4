"""Rebuild the bundled samples from the original MNIST and Fashion-MNIST files.

Usage: ``python scripts/build_samples.py [--data FOLDER] [--out FOLDER]``. Each sample is the first 500
training images of each class; the 5,000 rows keep the original file's order. Two runs give the same bytes.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np

from dctutor.datasets._catalog import ENTRIES
from dctutor.datasets._fetch import locate
from dctutor.datasets._read import SAMPLES, read_images

PER_CLASS = 500
ORIGINALS = {"mnist-5k": "mnist", "fashion-5k": "fashion"}


def sample(original: str, data_home: Path | None) -> dict[str, np.ndarray]:
    entry = ENTRIES[original]
    X, y = read_images(entry, locate(entry, data_home, download=True), "train")
    rows = np.sort(np.concatenate([np.flatnonzero(y == label)[:PER_CLASS] for label in np.unique(y)]))
    return {"images": X[rows].reshape(-1, 28, 28), "labels": y[rows]}


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # As numpy.savez_compressed does, but with fixed time stamps: the bytes depend on the data only.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with bundle.open(member, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with MNIST/raw and FashionMNIST/raw")
    parser.add_argument("--out", type=Path, default=SAMPLES, help="folder to write the samples to")
    options = parser.parse_args(arguments)
    for name, original in ORIGINALS.items():
        path = options.out / f"{name}.npz"
        write_npz(path, sample(original, options.data))
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
