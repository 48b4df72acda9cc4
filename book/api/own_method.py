"""A method of your own, the shortest that does all that the others do."""

from dataclasses import dataclass

import torch

from dctutor import DeepClusterer
from dctutor.architectures import Autoencoder
from dctutor.classical import kmeans
from dctutor.estimator import Count, Trained
from dctutor.losses import reconstruction


@dataclass(eq=False, repr=False, kw_only=True)  # eq, repr: scikit-learn's
class ShallowAutoencoder(DeepClusterer):
    """An autoencoder of one hidden layer, then k-means on its codes."""

    width: Count = 10  # a positive integer: `fit` checks it
    epochs: Count = 20

    def _build_network(self, n_features):
        return Autoencoder(n_features, (self.width,))

    def _train(self, loop):
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        loop.register(network=network)  # goes into checkpoints
        loop.watch(network.encode)  # goes into snapshots
        optimizer = loop.adam(network.parameters(), learning_rate=0.001)

        def step(index):  # indices of the samples of one batch
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
        codes = loop.map(network.encode)
        centers = kmeans(codes, self.n_clusters, loop.generator)
        return Trained(network, centers=torch.from_numpy(centers))
