"""Networks that the methods are built on (survey section 2)."""

from dctutor.architectures.autoencoder import Autoencoder

__all__ = ["Autoencoder"]
