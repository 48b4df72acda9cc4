"""DAC, deep adaptive clustering (Chang et al. 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from dctutor.architectures import Head, LabelNetwork
from dctutor.augmentation import augmenter, check_affine
from dctutor.estimator import Count, DeepClusterer, Fraction, Positive, Sizes, Trained
from dctutor.estimator.scaling import Rule
from dctutor.losses import pairwise, select_pairs
from dctutor.schedules import closing
from dctutor.training import Loop, measure_batch_norm

__all__ = ["DeepAdaptiveClustering"]

_IMAGES = {"rotation": 10.0, "shift": 0.1, "zoom": 0.1, "shear": 10.0}


@dataclass(eq=False, repr=False, kw_only=True)
class DeepAdaptiveClustering(DeepClusterer):
    r"""DAC: a network that decides for each pair of images whether they are of one cluster, the sure pairs first.

    The network gives each sample a label feature :math:`l_i` with K entries, of length 1 and without negative ones.
    The similarity of two samples is :math:`l_i \cdot l_j`, in [0, 1]. Pairs that are surely alike or surely different
    become the training data of the next step (Chang et al. 2017, eq. 6 to 8):

    .. math:: \min_w \sum_{ij} v_{ij} L(r_{ij}, l_i \cdot l_j), \qquad
              r_{ij} = 1 \text{ if } l_i \cdot l_j \geq u, \quad r_{ij} = 0 \text{ if } l_i \cdot l_j < l

    with the binary cross-entropy L, and :math:`v_{ij} = 1` for these pairs and 0 for all others. The thresholds u and l
    move towards each other during training, so that more and more pairs count. At the optimum all label features have
    a single entry, and the cluster is the entry that is largest.

    Two other methods of the book go by the name DAC: `DeepAutoencoderClustering` and an adversarial one.

    Parameters
    ----------
    upper, lower : float, default=0.95 and 0.455
        u and l at the start.
    meet : float, default=0.5
        Where both would meet, from ``lower`` to ``upper``. If all three are equal, all pairs count from the first step,
        with one threshold, as in the paper's DAC*.
    closed : float, default=0.5
        The fraction of the way to ``meet`` that the thresholds have gone at the end. With 1 they meet, as in the paper;
        with 0 they stay where they are.
    augment : mapping of str to float, "auto" or None, default="auto"
        Random changes of each image, as arguments of `dctutor.augmentation.affine`; ``"auto"`` is a rotation and a
        shear of 10 degrees, a shift and a zoom of a tenth for images, and nothing for other data. Pairs are selected by
        the images as they are.
    channels, widths : sequence of int, default=(16, 32) and (500, 500)
        Feature maps of each three convolutions for images; widths of the hidden layers for other data.
    epochs, learning_rate : int and float, default=60 and 0.001
        Epochs, and the learning rate of RMSprop.
    batch_size : int, default=128
        Samples per step; pairs are those within it.
    n_clusters, image_shape, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ==========================================  ====================================================
    paper                                       argument, function or column of history
    ==========================================  ====================================================
    :math:`u(\lambda)`, :math:`l(\lambda)`      ``"upper"``, ``"lower"``; `dctutor.schedules.closing`
    :math:`l_i`, constraint layer (eq. 3)       ``transform``; `dctutor.architectures.ConstraintLayer`
    :math:`r_{ij}`, :math:`v_{ij}` (eq. 6)      `dctutor.losses.select_pairs`
    mean of :math:`v_{ij}`                      ``"selected"``; ``"same"`` of those with r = 1
    L (eq. 7)                                   `dctutor.losses.pairwise`
    ==========================================  ====================================================

    =======================================  =====================================  ====================================
    paper, or its authors' code              here                                   why
    =======================================  =====================================  ====================================
    three times 64 and 128 feature maps      16 and 32                              time
    pools round odd sizes down               up                                     as in all networks of this book
    the thresholds meet at the end           half of the way                        more clusters mixed; labels seen
    one step of the thresholds per epoch     in each step                           simpler
    1,000 steps per step of the thresholds   ``epochs`` in all                      time
    zoom of a twentieth, no shear            zoom of a tenth, shear of 10 degrees   better; labels seen
    targets of 1,000 images, for 5 epochs    of each batch, anew in each step       as others who reproduced it do
    batch statistics also in prediction      measured on all samples, at the end    no sample's label rests on others
    trained scale of batch normalisation     none                                   as others who reproduced it do
    sum over pairs                           mean over those selected               RMSprop does not see the factor
    u - l as a term of the loss              left out                               no weight of the network is in it
    =======================================  =====================================  ====================================

    Defaults were set with labels seen: ``closed`` and ``augment`` on the 8 x 8 digits, then in four trials on
    ``mnist-5k`` with two seeds. There, a learning rate of 0.003 did worse; on the small digits it does better.

    The loss is 0 if all label features are the same. If all pairs count from the start, training can come near that in
    spite of batch normalisation: a few samples then have much of the variance, and all others are alike.

    References
    ----------
    Chang, Wang, Meng, Xiang & Pan (2017). Deep adaptive image clustering. ICCV.

    Examples
    --------
    >>> from dctutor import DeepAdaptiveClustering, load_dataset
    >>> digits = load_dataset("digits")
    >>> dac = DeepAdaptiveClustering(epochs=2, image_shape=digits.image_shape, random_state=0, verbose=False)
    >>> features = dac.fit(digits.X).transform(digits.X)
    >>> bool((features >= 0).all()), float((features[0] ** 2).sum().round(3))
    (True, 1.0)
    """

    upper: Fraction = 0.95
    lower: Fraction = 0.455
    meet: Fraction = 0.5
    closed: Fraction = 0.5
    augment: Mapping[str, float] | Literal["auto"] | None = "auto"
    channels: Sizes = (16, 32)
    widths: Sizes = (500, 500)
    epochs: Count = 60
    learning_rate: Positive = 1e-3
    batch_size: Count = 128

    input_scaling: ClassVar[Rule] = "centred"

    def _check_params(self) -> None:
        if not self.lower <= self.meet <= self.upper:
            raise ValueError(f"meet: expected from lower={self.lower} to upper={self.upper}, got {self.meet}")
        if isinstance(self.augment, Mapping):
            check_affine(self.augment, "augment")

    def _build_network(self, n_features: int) -> LabelNetwork:
        if self.image_shape_ is None:
            return LabelNetwork(n_features, self.n_clusters, self.widths)
        network = LabelNetwork(n_features, self.n_clusters, self.channels, self.image_shape_)
        return network.to(memory_format=torch.channels_last)

    def _build_head(self, embedding_dim: int) -> "Proportions":
        return Proportions(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        loop.register(network=network)
        optimizer = torch.optim.RMSprop(network.parameters(), lr=float(self.learning_rate), alpha=0.9)
        upper, lower = closing(self.upper, self.lower, self.meet, closed=self.closed)
        amounts = self.augment
        if amounts == "auto":
            amounts = None if self.image_shape_ is None else _IMAGES
        changed = augmenter(amounts, self.image_shape_, loop.noise_generator)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            features = network.encode(changed(x))
            high, low = upper(loop.progress), lower(loop.progress)
            with torch.no_grad():  # which pairs count, and as what, is decided on the images as they are
                before = network.encode(x) if amounts else features
                target, selected = select_pairs(before, high, low)
            loss = pairwise(features, target, selected)
            loop.minimize(loss, optimizer)
            pairs = len(index) * (len(index) - 1)
            return {
                "loss": loss,
                "upper": torch.tensor(high),
                "lower": torch.tensor(low),
                "selected": selected.sum() / pairs,
                "same": target.sum() / pairs,
            }

        def embed(x: Tensor) -> Tensor:
            measure_batch_norm(network, loop.x)
            return network.encode(x)

        def end() -> None:
            measure_batch_norm(network, loop.x)

        loop.watch(embed)
        loop.run("cluster", step, optimizers=[optimizer], epochs=self.epochs, batch_size=self.batch_size, end=end)
        return Trained(network, self._build_head(self.n_clusters))


class Proportions(Head):
    """Shares of each row's sum, of codes without negative entries."""

    def assign(self, z: Tensor) -> Tensor:
        """Rows, divided by their sums."""
        return z / z.sum(1, keepdim=True)
