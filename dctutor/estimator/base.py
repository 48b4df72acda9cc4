"""The scikit-learn estimator that every method of the book is."""

import numbers
import os
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from dctutor._inputs import as_array, image_shape, shape_of
from dctutor._validation import check_integer, check_number, known_labels, seed_of, unchanged_on_error
from dctutor.devices import plain_modes
from dctutor.estimator import persistence as saving
from dctutor.estimator._warnings import warn_of_empty, warn_of_means
from dctutor.estimator.prediction import Fitted, Floats
from dctutor.training import Loop
from dctutor.training.checkpoint import Checkpoint

__all__ = ["DeepClusterer"]


# A dataclass writes the constructor that scikit-learn asks for: arguments stored as given, nothing else.
@dataclass(eq=False, repr=False)
class DeepClusterer(Fitted, ABC):
    """Base of all methods: data in, labels out; devices, saving and snapshots in between.

    A method adds its own arguments, checks them in `_check_params`, makes its network in
    `_build_network`, and trains it in `_train`.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of clusters, K.
    batch_size : int, default=256
        Samples a training step; where it exceeds the data, all of them.
    device : str, default="auto"
        CUDA, then MPS, then the CPU; or a PyTorch device name.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        ``"auto"`` takes bfloat16 for the network where the processor multiplies it natively. Losses
        and cluster statistics are always float32.
    random_state : int, RandomState instance or None, default=None
        An int makes two fits on one machine agree bit for bit. The global random state is never touched.
    verbose : bool, default=True
        Show a progress bar for each phase that lasts longer than a second.
    checkpoint : path-like or None, default=None
        A file to keep the state of training in. A fit that finds its own checkpoint there goes on
        from it, and ends with the labels of one never interrupted. One file serves one fit: it stays when that has
        ended, and gives its result to the same fit, also to one without a seed. Any other fit is refused.
    checkpoint_seconds : float, default=30
        The least time between two writes of it, which come after whole epochs. An interruption costs what was trained
        since the last one.
    snapshot_every : int or None, default=None
        Record the embedding of up to 1,000 samples every so many epochs.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Cluster of each training sample.
    cluster_centers_ : ndarray of shape (n_clusters, p)
        Centres in the embedding.
    network_ : nn.Module
        The trained network. It sees inputs times ``scale_``.
    scale_ : float
        Brings the mean square of the training data to 1 (Xie et al. 2016, section 4.2).
    history_ : dict of str to dict of str to list
        A table a phase of training: ``"epoch"`` and the mean of each loss, with the share of labels ``"changed"`` in
        some. A table whose name has a slash is not one of epochs, such as ``"cluster/refresh"``: one row a new target.
    snapshots_ : list of Snapshot
        The recorded embeddings, in the precision of training; ``snapshot_index_`` says of which samples.
    n_iter_ : int
        Epochs of the last phase; in AE-CM and the clustering module, the averaged epoch after it included.
    seconds_ : float
        Wall-clock time of the fit, over all the stretches that checkpoints joined.
    n_features_in_ : int
        Width of the (flattened) input.
    image_shape_ : (C, H, W) or None
        Shape of one sample, where the data were images or ``image_shape`` said that they are.
    """

    # Names of the fitted arrays that a method has beside those above, for saving.
    _arrays: ClassVar[tuple[str, ...]] = ()
    takes_labels: ClassVar[bool] = False  # whether `fit` looks at y
    _subtracts_means: ClassVar[bool] = False

    n_clusters: int = 10
    _: KW_ONLY
    batch_size: int = 256
    device: str = "auto"
    precision: str = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: bool = True
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_seconds: float = 30.0
    snapshot_every: int | None = None

    # What a method provides

    def _check_params(self) -> None:
        check_integer("n_clusters", self.n_clusters, minimum=1)
        check_integer("batch_size", self.batch_size, minimum=1)
        if self.checkpoint is not None and not isinstance(self.checkpoint, str | os.PathLike):
            raise TypeError(f"checkpoint: expected the path of a file or None, got {self.checkpoint!r}")
        check_number("checkpoint_seconds", self.checkpoint_seconds)
        if not isinstance(self.verbose, numbers.Integral | np.bool_):
            raise TypeError(f"verbose: expected True or False, got {self.verbose!r}")
        if self.snapshot_every is not None:
            check_integer("snapshot_every", self.snapshot_every, minimum=1)

    @abstractmethod
    def _build_network(self, n_features: int) -> nn.Module:
        """Make the untrained network for inputs of this width."""

    @abstractmethod
    def _train(self, loop: Loop) -> tuple[nn.Module, Tensor]:
        """Train; return the network and the cluster centres in its embedding."""

    def _label(self, x: Floats) -> NDArray[np.int64]:
        """Label the scaled training data; by default the most probable cluster of each sample."""
        return self._soft_assignments(x).argmax(1)

    # What a user calls first; `Fitted` has the rest

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the embedding and the clusters.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples; images may keep their shape. Computed in float32. They are only multiplied by ``scale_``: where
            the means of features are large beside their spread, subtract them first. A warning says where.
        y : array-like of shape (n,), optional
            Ignored, but by methods whose ``takes_labels`` is true: the class of each sample, -1 where it is unknown.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument or the data is not what it has to be; the message names it.
        FloatingPointError
            If training diverges.

        Warns
        -----
        UserWarning
            Where features' means hide what the samples differ in.
        ConvergenceWarning
            If clusters end empty: too many were asked for, or they collapsed in training.
        """
        with unchanged_on_error(self), plain_modes():
            self._fit(X, y)
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None) -> NDArray[np.int64]:
        """Fit, and return ``labels_``, shape (n,). ``X`` and ``y`` as in `fit`."""
        return self.fit(X, y).labels_

    def _fit(self, X: ArrayLike, y: Any) -> None:
        self._check_params()
        seed = seed_of(self.random_state)
        x = self._validate(X, reset=True)
        # Kept, as `set_params` may prepare the next fit while this one is used and saved.
        try:
            self._fitted_with = saving.parameters(self.get_params(deep=False))
        except TypeError as error:
            self._fitted_with = str(error)  # the error itself would keep the data of its frames; `save` raises it
        if len(x) < self.n_clusters:
            raise ValueError(f"X: expected at least n_clusters={self.n_clusters} samples, got n_samples={len(x)}")
        known = known_labels(as_array(y), len(x)) if self.takes_labels else None
        self.image_shape_ = image_shape(getattr(self, "image_shape", None), shape_of(X), x.shape[1])
        power = float(np.mean(np.square(x, dtype=np.float64)))
        # Below the smallest normal float32, the scale would overflow: such data is zero.
        self.scale_ = 1 / power**0.5 if power**0.5 > np.finfo(np.float32).tiny else 1.0
        x = x * np.float32(self.scale_)
        if not self._subtracts_means:
            # Pictures share most of their brightness, and a network's first layer deals with that much.
            warn_of_means(x, 0.9 if self.image_shape_ is None else 0.98, stacklevel=4)
        self.snapshot_index_ = np.linspace(0, len(x) - 1, min(len(x), 1000)).astype(np.intp)
        checkpoint = None
        if self.checkpoint is not None:
            fingerprint = saving.fingerprint(self, x, seed, known)
            checkpoint = Checkpoint(self.checkpoint, fingerprint, self.checkpoint_seconds)
        loop = Loop(
            x,
            y=known,
            seed=seed,
            device=self.device,
            precision=self.precision,
            verbose=self.verbose,
            checkpoint=checkpoint,
            snapshot_every=self.snapshot_every,
            snapshot_index=self.snapshot_index_,
        )
        network, centers = self._train(loop)
        self.network_ = network.eval()
        self.cluster_centers_ = centers.detach().float().cpu().numpy()
        self.history_, self.snapshots_, self.n_iter_ = loop.history, loop.snapshots, loop.epochs
        loop.check_finite(embedding=torch.from_numpy(self._batched(self._embed, x)), centers=centers)
        self.labels_ = self._label(x)
        warn_of_empty(self.labels_, self.n_clusters, stacklevel=4)
        self.seconds_ = loop.seconds
