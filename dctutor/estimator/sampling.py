"""What a fitted method that generates can be asked for: new samples, of all clusters or of one."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from dctutor._validation import check_integer
from dctutor.devices import evaluation_rows, plain_modes
from dctutor.estimator._checks import seed_of
from dctutor.estimator.prediction import Floats
from dctutor.estimator.scaling import Scaling

__all__ = ["Sampling"]


class Sampling(ABC):
    """Adds `sample` to a method; the method provides `_draw`, and `_cluster_weights` if clusters differ in size.

    Attributes
    ----------
    n_clusters, scaling_, n_features_in_
        See `DeepClusterer`.
    """

    n_clusters: int
    scaling_: Scaling
    n_features_in_: int
    _network_device: Any  # of `Fitted`, which stands behind this class

    @abstractmethod
    def _draw(self, clusters: Tensor, generator: torch.Generator) -> Tensor:
        """Scaled samples, shape (n, d): one from each of the clusters given, shape (n,), on the network's device."""

    def _cluster_weights(self) -> Tensor:
        """Probabilities of the clusters, shape (K,); by default they are equal."""
        return torch.full((self.n_clusters,), 1 / self.n_clusters)

    def sample(self, n: int = 1, cluster: int | None = None, random_state: int | RandomState | None = None) -> Floats:
        """Draw new samples.

        Parameters
        ----------
        n : int, default=1
            Number of samples.
        cluster : int or None, default=None
            The cluster that all are drawn from; None draws a cluster for each.
        random_state : int, RandomState instance or None, default=None
            An int makes two calls give the same samples.

        Returns
        -------
        ndarray of shape (n, d)
            Samples in the units of the data that `fit` saw, images flat.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what it has to be.
        """
        check_is_fitted(self)
        n = check_integer("n", n, minimum=1)
        seed = seed_of(random_state)
        with plain_modes(), torch.no_grad():
            device = self._network_device
            generator = torch.Generator(device).manual_seed(seed)
            if cluster is None:
                weights = self._cluster_weights().to(device)
                clusters = torch.multinomial(weights, n, replacement=True, generator=generator)
            else:
                if check_integer("cluster", cluster, minimum=0) >= self.n_clusters:
                    raise ValueError(f"cluster: expected one from 0 to {self.n_clusters - 1}, got {cluster}")
                clusters = torch.full((n,), int(cluster), device=device)
            rows = evaluation_rows(self.n_features_in_)
            parts = [self._draw(part, generator).float().cpu() for part in clusters.split(rows)]
        return self.scaling_.undo(np.ascontiguousarray(torch.cat(parts).numpy()))
