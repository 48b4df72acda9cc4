"""The methods of the book, one file each, in folders by family (survey section 6)."""

from dctutor.methods.autoencoder.autoencoder_kmeans import AutoencoderKMeans
from dctutor.methods.autoencoder.idec import IDEC
from dctutor.methods.cdnn.dec import DEC

__all__ = ["DEC", "IDEC", "AutoencoderKMeans"]
