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

_IMAGES = {"rotation": 10.0, "shift": 0.1, "zoom": 0.05}


@dataclass(eq=False, repr=False, kw_only=True)
class DeepAdaptiveClustering(DeepClusterer):
    upper: Fraction = 0.95
    lower: Fraction = 0.455
    meet: Fraction = 0.5
    closed: Fraction = 0.9
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
            u, l = upper(loop.progress), lower(loop.progress)
            with torch.no_grad():  # which pairs count, and as what, is decided on the images as they are
                before = network.encode(x) if amounts else features
                target, selected = select_pairs(before, u, l)
            loss = pairwise(features, target, selected)
            loop.minimize(loss, optimizer)
            pairs = len(index) * (len(index) - 1)
            return {
                "loss": loss,
                "upper": torch.tensor(u),
                "lower": torch.tensor(l),
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
