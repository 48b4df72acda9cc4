"""Activations of a trained network as features to cluster (survey section 5).

`activations` reads one layer or several. Two transformers join layers: `MultiLayerPCA` gives all layers the same weight
and reduces the number of features, `FullNetworkEmbedding` reduces each feature to three values.
"""

from dctutor.features._activations import activations
from dctutor.features._transformers import FullNetworkEmbedding, MultiLayerPCA

__all__ = ["FullNetworkEmbedding", "MultiLayerPCA", "activations"]
