"""Readers of the stored files. Each returns ``(X, y)`` and names the file that is damaged, if one is."""

from pathlib import Path

import numpy as np

from dctutor.datasets._catalog import DatasetUnavailableError, Entry

SAMPLES = Path(__file__).with_name("samples")
N_HAPT_FEATURES = 561
# Columns of HAPT, along the axis that is upright in a person who stands: the standard deviation of the body's
# acceleration (high in walking) and the mean of gravity (high unless the person lies).
BODY_ACCELERATION_STD, GRAVITY_MEAN = 3, 40
# Room for copies of COIL-20 that were resized in another way than by the mean of blocks, which keeps the brightness.
BRIGHTNESS_TOLERANCE = 0.01
_NUMERIC = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


def _damaged(path: Path, why: str) -> DatasetUnavailableError:
    return DatasetUnavailableError(
        f"The data file {path} is damaged: {why}. Delete it and load the data set again to fetch a new copy."
    )


def read_bundled(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels or features (n, d) and labels (n,) of one part of a set that needs no download."""
    if name == "digits":
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
    else:
        with np.load(SAMPLES / f"{name}.npz", allow_pickle=False) as stored:
            X, y = stored["features" if "features" in stored else "images"], stored["labels"]
        X = X.reshape(len(X), -1)
    return _part(X, y, split)


def _part(X: np.ndarray, y: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The first four fifths of each class, or the rest, of a set that has no official split."""
    train = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        train[rows[: len(rows) * 4 // 5]] = True
    rows = np.flatnonzero(train if split == "train" else ~train)
    return X[rows], y[rows]


def read(entry: Entry, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples (n, d) and labels (n,) of the split ``"train"`` or ``"test"`` of a downloaded set."""
    if entry.name == "hapt":
        return read_hapt(entry, folder, split)
    return (read_matlab if entry.files[0].endswith(".mat") else read_images)(entry, folder, split)


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read an idx file of unsigned bytes: two zero bytes, type 8, the number of axes, then the axes' lengths.

    Parameters
    ----------
    path : Path
        Unpacked file.
    shape : tuple of int
        The shape that it must have.

    Returns
    -------
    ndarray of uint8, shape `shape`
    """
    content = path.read_bytes()
    header = bytes([0, 0, 8, len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape)
    expected = len(header) + int(np.prod(shape))
    if not content.startswith(header):
        raise _damaged(path, f"it does not start as an idx file of {' x '.join(map(str, shape))} bytes does")
    if len(content) != expected:
        raise _damaged(path, f"expected {expected} bytes, found {len(content)}")
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)


def read_images(entry: Entry, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, d) and labels (n,) of one official split of MNIST or Fashion-MNIST."""
    if entry.image_shape is None:
        raise ValueError(f"entry must describe images; got {entry.name!r}.")
    part = {"train": "train", "test": "t10k"}[split]
    n_rows = dict(entry.sizes)[split]
    X = read_idx(folder / f"{part}-images-idx3-ubyte", (n_rows, *entry.image_shape[1:]))
    labels = folder / f"{part}-labels-idx1-ubyte"
    y = read_idx(labels, (n_rows,))
    if set(np.unique(y)) != set(range(len(entry.label_names))):
        raise _damaged(labels, f"its labels are not the numbers 0 to {len(entry.label_names) - 1}")
    return X.reshape(n_rows, -1), y


def read_matlab(entry: Entry, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, d) and labels (n,), from 0, of one part of a set that is one MATLAB file.

    Its ``fea`` holds one image per row, column after column as MATLAB does, its ``gnd`` the labels from 1. What is
    checked beyond form: each class has the same number of images and, where `entry` knows it, the right brightness,
    and no two images are equal. That finds black, repeated or shuffled images; it does not find a change of single
    pixels.
    """
    path = folder / entry.files[0]
    try:
        X, y = _checked_matlab(entry, path)
    except DatasetUnavailableError:
        raise
    except Exception as error:  # SciPy's parser raises what the damage makes of it
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    return _part(X, y, split)


def _checked_matlab(entry: Entry, path: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat, whosmat

    assert entry.image_shape is not None
    (_, n_rows), (_, height, width), n_classes = entry.sizes[0], entry.image_shape, len(entry.label_names)
    expected = [("fea", (n_rows, height * width)), ("gnd", (n_rows, 1))]
    # The headers first: the file may hold other or larger variables, and those are never loaded.
    stored = whosmat(path)
    if sorted((name, shape) for name, shape, kind in stored if kind in _NUMERIC and name in ("fea", "gnd")) != expected:
        listed = ", ".join(f"{name} {shape} {kind}" for name, shape, kind in stored[:5]) or "no variable"
        raise _damaged(path, f"expected numbers fea {expected[0][1]} and gnd {expected[1][1]}, found {listed}")
    variables = loadmat(path, variable_names=["fea", "gnd"])
    X, labels = variables["fea"], variables["gnd"].ravel()
    if X.dtype.kind not in "uif" or not (X.min() >= 0 and X.max() <= entry.levels):  # NaN fails this too
        raise _damaged(path, f"a pixel is outside [0, {entry.levels}]")
    if labels.dtype.kind not in "uif" or set(labels.tolist()) != set(range(1, n_classes + 1)):
        raise _damaged(path, f"its labels are not the numbers 1 to {n_classes}")
    y = labels.astype(np.int64) - 1
    counts = np.bincount(y)
    if np.any(counts != n_rows // n_classes):
        raise _damaged(path, f"expected {n_rows // n_classes} images per class, found {counts.min()} to {counts.max()}")
    if entry.brightness:
        found = np.bincount(y, weights=X.mean(1)) / counts / entry.levels
        worst = int(np.abs(found - entry.brightness).argmax())
        if abs(found[worst] - entry.brightness[worst]) > BRIGHTNESS_TOLERANCE:
            raise _damaged(
                path,
                f"expected images of {entry.label_names[worst]!r} with a mean of {entry.brightness[worst]:.3f}, "
                f"found {found[worst]:.3f}",
            )
        if len({row.tobytes() for row in X}) < n_rows:
            raise _damaged(path, "two of its images are equal")
    return X.reshape(n_rows, width, height).transpose(0, 2, 1).reshape(n_rows, -1), y


def read_hapt(entry: Entry, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 561) and labels (n,), from 0, of one official split of HAPT.

    What is checked beyond form: the number of windows of each of the six activities, and that walking can be told
    from rest and lying from all else by two features. That finds labels that were shuffled; it does not find labels
    exchanged among the three ways of walking, between sitting and standing or among the transitions.
    """
    part = {"train": "Train", "test": "Test"}[split]
    table, labels = folder / part / f"X_{split}.txt", folder / part / f"y_{split}.txt"
    X, y = _numbers(table, np.float32), _numbers(labels, np.int64)
    if X.ndim != 2 or X.shape[1] != N_HAPT_FEATURES:
        raise _damaged(table, f"expected {N_HAPT_FEATURES} features per row, found shape {X.shape}")
    if y.shape != (len(X),):
        raise DatasetUnavailableError(
            f"The data files {table} and {labels} do not fit together: {len(X)} rows, {y.size} labels. Delete both and"
            " load the data set again to fetch new copies."
        )
    if not np.all(np.abs(X) <= 1.001):  # NaN fails this too
        raise _damaged(table, "a value is outside [-1, 1]")
    if y.min() < 1 or y.max() > len(entry.label_names):
        raise _damaged(labels, f"a label is outside 1 to {len(entry.label_names)}")
    expected = dict(entry.counts)[split]
    found = tuple(np.bincount(y, minlength=len(expected) + 1)[1 : len(expected) + 1].tolist())
    if found != expected:
        raise _damaged(labels, f"expected {expected} windows of the activities 1 to {len(expected)}, found {found}")
    activity = y <= len(expected)
    walks, lies = X[:, BODY_ACCELERATION_STD] > -0.8, X[:, GRAVITY_MEAN] < 0.3
    fits = ((walks == (y <= 3)) & (lies == (y == 6)))[activity].mean()
    if fits < 0.95:  # at least 0.996 in the copy at hand; shuffled labels give less than 0.4
        raise _damaged(labels, f"its labels fit the features in only {fits:.0%} of the windows of activities")
    return X, y - 1


def _numbers(path: Path, dtype: type) -> np.ndarray:
    # An empty table makes loadtxt warn and return no rows.
    if not path.stat().st_size:
        raise _damaged(path, "it is empty")
    try:
        return np.loadtxt(path, dtype=dtype)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
