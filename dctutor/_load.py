"""Saved models of any method of the book."""

import os

from dctutor import methods
from dctutor.estimator import DeepClusterer
from dctutor.estimator.restoring import method_of, restored
from dctutor.storage import FileFormatError, read_file

__all__ = ["load"]


def load(path: str | os.PathLike[str]) -> DeepClusterer:
    """Read a fitted estimator that `DeepClusterer.save` wrote, of whatever method of the book.

    Parameters
    ----------
    path : path-like
        The file. That of a method of your own is read by its class: ``YourMethod.load(path)``.

    Returns
    -------
    DeepClusterer
        Fitted, on the device that its ``device`` argument names. If the machine lacks it, a warning says so and
        the network is on the one that ``"auto"`` would take.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If it is cut short, was altered, or holds something else than a method of the book.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from dctutor import DEC, load, load_dataset
    >>> X = load_dataset("digits").X
    >>> dec = DEC(widths=(32, 10), layerwise_epochs=0, pretrain_epochs=5, epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dec.save(pathlib.Path(folder) / "dec.safetensors")
    ...     again = load(pathlib.Path(folder) / "dec.safetensors")
    >>> bool((again.predict(X) == dec.labels_).all())
    True
    """
    tensors, facts = read_file(path)
    name = method_of(path, facts)
    if name not in methods.__all__:
        raise FileFormatError(
            f"path: expected a saved method of the book, got one of {name!r};"
            f" load it with that class: {name}.load(path)"
        )
    return restored(getattr(methods, name), path, tensors, facts)
