"""Trained autoencoders that come with the package: the one start that all chapters share."""

from pathlib import Path

from dctutor.architectures.autoencoder import Autoencoder
from dctutor.storage import read_file

__all__ = ["available_pretrained", "load_pretrained"]

_WEIGHTS = Path(__file__).with_name("weights")


def available_pretrained() -> tuple[str, ...]:
    """Names of the trained autoencoders that `load_pretrained` knows.

    Examples
    --------
    >>> from dctutor.architectures import available_pretrained
    >>> available_pretrained()
    ('fashion', 'mnist')
    """
    return tuple(sorted(path.stem for path in _WEIGHTS.glob("*.safetensors")))


def load_pretrained(name: str, *, argument: str = "name") -> Autoencoder:
    """Load an autoencoder of 784-500-500-2000-10 that was trained on 70,000 images, without their labels.

    It expects images as every estimator scales them: ``scaling_.apply(X)``. The weights were stored in float16.
    ``scripts/pretrain.py`` trained it, with the settings that the file holds.

    Parameters
    ----------
    name : {"mnist", "fashion"}
        The images: MNIST or Fashion-MNIST.
    argument : str, default="name"
        What the caller's user knows ``name`` as; the error message starts with it.

    Returns
    -------
    Autoencoder
        In evaluation mode, in float32, on the CPU; a new one on each call.

    Raises
    ------
    ValueError
        If there is none of this name.
    FileFormatError
        If the installed file is damaged: its digest does not match.

    Examples
    --------
    >>> from dctutor.architectures import load_pretrained
    >>> load_pretrained("mnist").embedding_dim
    10
    """
    if name not in (known := available_pretrained()):
        raise ValueError(f"{argument}: expected one of {', '.join(known)}, got {name!r}")
    tensors, facts = read_file(_WEIGHTS / f"{name}.safetensors", argument=argument)
    network = Autoencoder(facts["n_features"], facts["widths"], "pytorch")
    network.load_state_dict({key: value.float() for key, value in tensors.items()})
    return network.eval()
