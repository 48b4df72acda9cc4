"""The data that the book clusters: four bundled samples and five sets that are downloaded once.

``load_dataset("mnist-5k")`` needs no network. ``"mnist"``, ``"fashion"``, ``"hapt"``, ``"orl"`` and ``"coil-20"`` are
looked for under ``data_home``, else ``$DCTUTOR_DATA``, else the platform's cache folder, and downloaded when missing.
"""

import os
from pathlib import Path

import numpy as np

from dctutor.datasets._catalog import ENTRIES, Dataset, DatasetUnavailableError
from dctutor.datasets._fetch import locate
from dctutor.datasets._read import read, read_bundled

__all__ = ["Dataset", "DatasetUnavailableError", "available_datasets", "load_dataset"]

_SPLITS = {"all": ("train", "test"), "train": ("train",), "test": ("test",)}


def available_datasets() -> tuple[str, ...]:
    """Names that `load_dataset` accepts."""
    return tuple(ENTRIES)


def load_dataset(
    name: str, split: str = "all", *, data_home: str | os.PathLike[str] | None = None, download: bool = True
) -> Dataset:
    """Load one data set.

    Parameters
    ----------
    name : {"digits", "mnist-5k", "fashion-5k", "cifar10-features", "mnist", "fashion", "hapt", "orl", "coil-20"}
        The first four come with the package or with scikit-learn and need no network.
    split : {"all", "train", "test"}, default "all"
        ``"all"`` is the training rows followed by the test rows. ``mnist``, ``fashion`` and ``hapt`` have
        their official split. In the other sets the first four fifths of each class, in file order, are
        ``"train"`` and the rest is ``"test"``; rows keep the file's order inside a split.
    data_home : path, optional
        Folder that holds ``MNIST/raw``, ``FashionMNIST/raw``, ``HAPT``, ``ORL`` and ``COIL20``. By default
        ``$DCTUTOR_DATA``, and without that variable the platform's cache folder. Ignored by the bundled sets.
    download : bool, default True
        Fetch a set that is missing. With ``False`` a missing set is an error.

    Returns
    -------
    Dataset
        ``X`` is float32 (n, d): pixels in [0, 1], HAPT's features in [-1, 1], or a network's features. ``y`` is int64
        (n,), from 0.

    Raises
    ------
    ValueError
        If `name` or `split` is unknown.
    DatasetUnavailableError
        If the set is missing and cannot be fetched, or if a file of it is damaged. A failed download leaves
        no file behind; what a killed process left is removed by the next download.
    """
    if not isinstance(name, str) or name not in ENTRIES:
        raise ValueError(f"name must be one of {', '.join(map(repr, ENTRIES))}; got {name!r}.")
    if not isinstance(split, str) or split not in _SPLITS:
        raise ValueError(f"split must be one of {', '.join(map(repr, _SPLITS))}; got {split!r}.")
    entry = ENTRIES[name]
    description = entry.description
    if entry.folder is None:
        parts = [read_bundled(name, part) for part in _SPLITS[split]]
    else:
        folder = locate(entry, None if data_home is None else Path(data_home), download)
        parts = [read(entry, folder, part) for part in _SPLITS[split]]
        if name == "hapt":
            found = {part: len(y) for part, (_, y) in zip(_SPLITS[split], parts, strict=True)}
            if not found.items() <= dict(entry.sizes).items():
                description += f" This copy is not the official one (rows: {found}): call it re-extracted."
    X = np.concatenate([X for X, _ in parts]).astype(np.float32, copy=False)
    if entry.image_shape is not None:
        X /= np.float32(entry.levels)
    return Dataset(
        name=name,
        X=X,
        y=np.concatenate([y for _, y in parts]).astype(np.int64),
        image_shape=entry.image_shape,
        label_names=entry.label_names,
        split=split,
        licence=entry.licence,
        citation=entry.citation,
        source=entry.source,
        description=description,
    )
