"""What a trained network says of its input, as features to cluster (survey section 5).

`activations` reads one layer or many. Two transformers join layers: `MultiLayerPCA` gives each the same weight and
leaves fewer features, `FullNetworkEmbedding` leaves three values of each feature.
"""

from dctutor.features._activations import activations
from dctutor.features._transformers import FullNetworkEmbedding, MultiLayerPCA

__all__ = ["FullNetworkEmbedding", "MultiLayerPCA", "activations"]
