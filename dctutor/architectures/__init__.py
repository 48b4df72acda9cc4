"""Networks that the methods are built on (survey section 2), and the heads that turn a code into clusters.

Networks `encode` inputs to one tensor, and `decode` if they can reconstruct; those for images take flat rows, too.
Heads `assign` codes to clusters. Initial weights come from torch's global generator, except within
`dctutor.training.Loop.build`, which draws from its seed.
"""

from dctutor.architectures.attention import AttentionNetwork, gaussian_map
from dctutor.architectures.autoencoder import Autoencoder
from dctutor.architectures.boltzmann import DeepBelief, RestrictedBoltzmann
from dctutor.architectures.bounded_autoencoder import BoundedAutoencoder
from dctutor.architectures.cnn import CNN, TransposedCNN
from dctutor.architectures.convolutional_autoencoder import ConvolutionalAutoencoder
from dctutor.architectures.fully_convolutional import FullyConvolutionalAutoencoder
from dctutor.architectures.gan import ConvolutionalDiscriminator, ConvolutionalGenerator, Discriminator, Generator
from dctutor.architectures.heads import (
    DiagonalMixture,
    Directions,
    Fuzzy,
    Head,
    Logits,
    MergedSoftmax,
    Mixture,
    Softmax,
    StudentT,
    Subspaces,
)
from dctutor.architectures.identity import Identity
from dctutor.architectures.label_features import ConstraintLayer, LabelNetwork
from dctutor.architectures.mlp import MLP
from dctutor.architectures.pooled_cnn import PooledCNN
from dctutor.architectures.pretrained import available_pretrained, load_pretrained
from dctutor.architectures.self_expression import SelfExpression
from dctutor.architectures.vae import VAE, ConvolutionalVAE

__all__ = [
    "CNN",
    "MLP",
    "VAE",
    "AttentionNetwork",
    "Autoencoder",
    "BoundedAutoencoder",
    "ConstraintLayer",
    "ConvolutionalAutoencoder",
    "ConvolutionalDiscriminator",
    "ConvolutionalGenerator",
    "ConvolutionalVAE",
    "DeepBelief",
    "DiagonalMixture",
    "Directions",
    "Discriminator",
    "FullyConvolutionalAutoencoder",
    "Fuzzy",
    "Generator",
    "Head",
    "Identity",
    "LabelNetwork",
    "Logits",
    "MergedSoftmax",
    "Mixture",
    "PooledCNN",
    "RestrictedBoltzmann",
    "SelfExpression",
    "Softmax",
    "StudentT",
    "Subspaces",
    "TransposedCNN",
    "available_pretrained",
    "gaussian_map",
    "load_pretrained",
]
