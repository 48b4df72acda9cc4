"""Networks that the methods are built on (survey section 2).

Their first weights come from torch's global generator: `dctutor.training.Loop.build` seeds it, and puts it back.
"""

from dctutor.architectures.autoencoder import Autoencoder
from dctutor.architectures.bounded_autoencoder import BoundedAutoencoder
from dctutor.architectures.clustering_module import CentredMixtureModule, MixtureAutoencoder, MixtureModule
from dctutor.architectures.cnn import CNN, TransposedCNN
from dctutor.architectures.convolutional_autoencoder import ConvolutionalAutoencoder
from dctutor.architectures.fully_convolutional import FullyConvolutionalAutoencoder
from dctutor.architectures.gan import ConvolutionalDiscriminator, ConvolutionalGenerator, Discriminator, Generator
from dctutor.architectures.mlp import MLP
from dctutor.architectures.self_expression import SelfExpression
from dctutor.architectures.softmax_autoencoder import SoftmaxAutoencoder
from dctutor.architectures.vae import VAE, ConvolutionalVAE

__all__ = [
    "CNN",
    "MLP",
    "VAE",
    "Autoencoder",
    "BoundedAutoencoder",
    "CentredMixtureModule",
    "ConvolutionalAutoencoder",
    "ConvolutionalDiscriminator",
    "ConvolutionalGenerator",
    "ConvolutionalVAE",
    "Discriminator",
    "FullyConvolutionalAutoencoder",
    "Generator",
    "MixtureAutoencoder",
    "MixtureModule",
    "SelfExpression",
    "SoftmaxAutoencoder",
    "TransposedCNN",
]
