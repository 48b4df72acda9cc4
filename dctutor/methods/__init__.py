"""The methods of the book, one file each, in folders by family (survey section 6).

`taxonomy` tells what is known of each, those without a chapter included. `__all__` lists the classes alone. Their names
come from the registry, and a class loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dctutor.methods._registry import Aim as Aim
from dctutor.methods._registry import Family as Family
from dctutor.methods._registry import MethodEntry as MethodEntry
from dctutor.methods._registry import MethodFacts as MethodFacts
from dctutor.methods._registry import PublishedFigure as PublishedFigure
from dctutor.methods._registry import families as families
from dctutor.methods._registry import homes as _homes
from dctutor.methods._registry import registry as registry
from dctutor.methods._registry import taxonomy as taxonomy

_HOMES = _homes()

if TYPE_CHECKING:  # a type checker runs nothing; a test holds these lines to the registry
    from dctutor.methods.adversarial.catgan import CatGAN as CatGAN
    from dctutor.methods.adversarial.infogan import InfoGAN as InfoGAN
    from dctutor.methods.autoencoder.autoencoder_kmeans import AutoencoderKMeans as AutoencoderKMeans
    from dctutor.methods.autoencoder.dac_autoencoder import DeepAutoencoderClustering as DeepAutoencoderClustering
    from dctutor.methods.autoencoder.dcn import DCN as DCN
    from dctutor.methods.autoencoder.den import DEN as DEN
    from dctutor.methods.autoencoder.depict import DEPICT as DEPICT
    from dctutor.methods.autoencoder.dmc import DMC as DMC
    from dctutor.methods.autoencoder.dsc_nets import DSCNet as DSCNet
    from dctutor.methods.autoencoder.idec import IDEC as IDEC
    from dctutor.methods.cdnn.aspc_da import ASPCDA as ASPCDA
    from dctutor.methods.cdnn.dac_adaptive import DeepAdaptiveClustering as DeepAdaptiveClustering
    from dctutor.methods.cdnn.dec import DEC as DEC
    from dctutor.methods.cdnn.dnc import DNC as DNC
    from dctutor.methods.cdnn.gatcluster import GATCluster as GATCluster
    from dctutor.methods.cdnn.imsat import IMSAT as IMSAT
    from dctutor.methods.cdnn.jule import JULE as JULE
    from dctutor.methods.cdnn.sela import SeLa as SeLa
    from dctutor.methods.mixture.aecm import AECM as AECM
    from dctutor.methods.mixture.clustering_module import ClusteringModule as ClusteringModule
    from dctutor.methods.variational.gmvae import GMVAE as GMVAE
    from dctutor.methods.variational.vade import VaDE as VaDE
else:
    __all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dctutor.methods' has no attribute {name!r}")
    globals()[name] = getattr(import_module(_HOMES[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
