"""The methods of the book, one file each, in folders by family (survey section 6).

`taxonomy` tells what is known of each, those without a chapter included. `__all__` lists the classes alone.
"""

from dctutor.methods._taxonomy import Family as Family
from dctutor.methods._taxonomy import MethodFacts as MethodFacts
from dctutor.methods._taxonomy import families as families
from dctutor.methods._taxonomy import taxonomy as taxonomy
from dctutor.methods.autoencoder.autoencoder_kmeans import AutoencoderKMeans
from dctutor.methods.autoencoder.dac_autoencoder import DeepAutoencoderClustering
from dctutor.methods.autoencoder.dcn import DCN
from dctutor.methods.autoencoder.den import DEN
from dctutor.methods.autoencoder.depict import DEPICT
from dctutor.methods.autoencoder.dmc import DMC
from dctutor.methods.autoencoder.dsc_nets import DSCNet
from dctutor.methods.autoencoder.idec import IDEC
from dctutor.methods.cdnn.dec import DEC
from dctutor.methods.mixture.aecm import AECM
from dctutor.methods.mixture.clustering_module import ClusteringModule

__all__ = [
    "AECM",
    "DCN",
    "DEC",
    "DEN",
    "DEPICT",
    "DMC",
    "IDEC",
    "AutoencoderKMeans",
    "ClusteringModule",
    "DSCNet",
    "DeepAutoencoderClustering",
]
