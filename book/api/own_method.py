"""A method of your own, the shortest that does all that the others do."""

from dataclasses import dataclass

import torch
from sklearn.cluster import KMeans

from dctutor import DeepClusterer
from dctutor.architectures import Autoencoder
from dctutor.losses import reconstruction


@dataclass(eq=False, repr=False, kw_only=True)  # eq, repr: scikit-learn's
class ShallowAutoencoder(DeepClusterer):
    """An autoencoder of one hidden layer, then k-means on its codes."""

    width: int = 10
    epochs: int = 20

    def _check_params(self):
        super()._check_params()
        for name in ("width", "epochs"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a positive integer, got {value!r}")

    def _build_network(self, n_features):
        return Autoencoder(n_features, (self.width,))

    def _train(self, loop):
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        loop.register(network=network)  # goes into checkpoints
        loop.watch(network.encode)  # goes into snapshots
        optimizer = loop.adam(network.parameters(), learning_rate=0.001)

        def step(index):  # the numbers of a batch's samples
            x = loop.x[index]
            loss = reconstruction(x, network(x))
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        loop.run(
            "train",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
        )
        codes = loop.map(network.encode).cpu().numpy()
        kmeans = KMeans(self.n_clusters, n_init=10, random_state=loop.seed)
        return network, torch.from_numpy(kmeans.fit(codes).cluster_centers_)
