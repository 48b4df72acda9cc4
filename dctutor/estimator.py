"""The scikit-learn estimator that every method of the book is."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from dctutor import saving
from dctutor._validation import check_integer, check_number
from dctutor.checkpoint import Checkpoint
from dctutor.losses import student_t
from dctutor.training import Loop

__all__ = ["DeepClusterer"]

Floats = NDArray[np.float32]


def _shape(X: Any) -> tuple[int, ...]:
    return np.shape(X) if hasattr(X, "shape") or isinstance(X, list | tuple) else ()


# A dataclass writes the constructor that scikit-learn asks for: arguments stored as given, nothing else.
@dataclass(eq=False, repr=False)
class DeepClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator, ABC):
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
        from it, and ends with the labels of one never interrupted.
    checkpoint_seconds : float, default=30
        The least time between two writes of it.
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
        A table a phase of training: ``"epoch"`` and the mean of each loss.
    snapshots_ : list of Snapshot
        The recorded embeddings; ``snapshot_index_`` says of which samples.
    n_iter_ : int
        Epochs of the last phase.
    seconds_ : float
        Wall-clock time of the fit, over all the stretches that checkpoints joined.
    n_features_in_ : int
        Width of the (flattened) input.
    image_shape_ : (C, H, W) or None
        Shape of one sample, where the data were images or ``image_shape`` said that they are.
    """

    # Names of the fitted arrays that a method has beside those above, for saving.
    _arrays: ClassVar[tuple[str, ...]] = ()

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
        if self.snapshot_every is not None:
            check_integer("snapshot_every", self.snapshot_every, minimum=1)

    @abstractmethod
    def _build_network(self, n_features: int) -> nn.Module:
        """Make the untrained network for inputs of this width."""

    @abstractmethod
    def _train(self, loop: Loop) -> tuple[nn.Module, Tensor]:
        """Train; return the network and the cluster centres in its embedding."""

    def _embed(self, x: Tensor) -> Tensor:
        """Embed scaled inputs: (n, d) to (n, p)."""
        return self.network_.encode(x)

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        """Soft assignments of embedded samples: (n, p) to (n, n_clusters)."""
        return student_t(z, centers)

    def _label(self, x: Floats) -> NDArray[np.int64]:
        """Label the scaled training data; by default the most probable cluster of each sample."""
        return self._soft_assignments(x).argmax(1)

    # What a user calls

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the embedding and the clusters.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples; images may keep their shape. Computed in float32.
        y : ignored
            Present because scikit-learn's interface asks for it.

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
        """
        before = dict(self.__dict__)
        try:
            self._fit(X)
        except BaseException:  # an interrupt, too: a fit that fails leaves the estimator as it was
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _fit(self, X: ArrayLike) -> None:
        self._check_params()
        seed = self._seed()
        x = self._validate(X, reset=True)
        if len(x) < self.n_clusters:
            raise ValueError(f"X: expected at least n_clusters={self.n_clusters} samples, got n_samples={len(x)}")
        self.image_shape_ = self._image_shape(_shape(X), x.shape[1])
        power = float(np.mean(np.square(x, dtype=np.float64)))
        # Below the smallest normal float32, the scale would overflow: such data is zero.
        self.scale_ = 1 / power**0.5 if power**0.5 > np.finfo(np.float32).tiny else 1.0
        x = x * np.float32(self.scale_)
        self.snapshot_index_ = np.linspace(0, len(x) - 1, min(len(x), 1000)).astype(np.intp)
        checkpoint = None
        if self.checkpoint is not None:
            fingerprint = saving.fingerprint(self, x, seed)
            checkpoint = Checkpoint(self.checkpoint, fingerprint, self.checkpoint_seconds)
        loop = Loop(
            x,
            seed=seed,
            device=self.device,
            precision=self.precision,
            verbose=self.verbose,
            checkpoint=checkpoint,
            snapshot_every=self.snapshot_every,
            snapshot_index=self.snapshot_index_,
        )
        network, centers = self._train(loop)
        self.network_: Any = network.eval()  # nn.Module would hide `encode` from the type checker
        self.cluster_centers_ = centers.detach().float().cpu().numpy()
        self.history_, self.snapshots_, self.n_iter_ = loop.history, loop.snapshots, loop.epochs
        loop.check_finite(embedding=torch.from_numpy(self._batched(self._embed, x)), centers=centers)
        self.labels_ = self._label(x)
        self.seconds_ = loop.seconds

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Most probable cluster of each sample, shape (n,).

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples, as wide as those that `fit` saw; they need not be among them.
        """
        return self.predict_proba(X).argmax(1)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Soft assignments, shape (n, n_clusters), rows summing to 1. ``X`` as in `predict`."""
        check_is_fitted(self)
        return self._soft_assignments(self._scaled(X))

    def transform(self, X: ArrayLike) -> Floats:
        """Embedding, shape (n, p). ``X`` as in `predict`."""
        check_is_fitted(self)
        return self._batched(self._embed, self._scaled(X))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file: safetensors and JSON, no pickle.

        Parameters
        ----------
        path : path-like
            The file; an existing one is replaced in one step.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        FileNotFoundError
            If its folder does not exist.
        """
        check_is_fitted(self)
        saving.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that `save` wrote. ``DeepClusterer.load`` takes any method's file.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        DeepClusterer
            Fitted, on the device that its ``device`` argument names; where the machine lacks it, a warning says so and
            the network is on the one that ``"auto"`` would take.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FileFormatError
            If it is cut short, was altered, or holds another kind of thing or method.
        """
        return saving.load(cls, path)

    # What the two have in common

    def _validate(self, X: ArrayLike, *, reset: bool) -> Floats:
        try:
            shape = _shape(X)
            if len(shape) in (3, 4):
                X = np.asarray(X).reshape(shape[0], -1) if shape[0] else np.empty((0, int(np.prod(shape[1:]))))
            least = 2 if reset else 1
            return validate_data(self, X, reset=reset, dtype=np.float32, order="C", ensure_min_samples=least)
        except (TypeError, ValueError) as error:
            if "X" in str(error):
                raise
            raise type(error)(f"X: {error}") from error

    def _image_shape(self, shape: tuple[int, ...], width: int) -> tuple[int, ...] | None:
        """Shape of an image, as the data shows it or the argument ``image_shape``, if there is one, says."""
        seen = (1, *shape[1:]) if len(shape) == 3 else shape[1:] if len(shape) == 4 else None
        given = getattr(self, "image_shape", None)
        if given is None:
            return seen
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 3:
            raise TypeError(f"image_shape: expected (C, H, W) or None, got {given!r}")
        for size in given:
            check_integer("image_shape", size, minimum=1)
        if math.prod(given) != width or (seen is not None and tuple(given) != seen):
            found = f"{width} features" if seen is None else f"images of shape {seen}"
            raise ValueError(f"image_shape: expected the shape of a sample, which has {found}, got {tuple(given)}")
        return tuple(int(size) for size in given)

    def _scaled(self, X: ArrayLike) -> Floats:
        return self._validate(X, reset=False) * np.float32(self.scale_)

    def _soft_assignments(self, x: Floats) -> Floats:
        def assign(batch: Tensor) -> Tensor:
            return self._assign(self._embed(batch), centers)

        centers = torch.from_numpy(self.cluster_centers_).to(self._network_device)
        return self._batched(assign, x)

    @property
    def _network_device(self) -> torch.device:
        return next(self.network_.parameters()).device

    @torch.no_grad()
    def _batched(self, function: Any, x: Floats) -> Floats:
        # In float32, whatever training used: what a user gets does not depend on the processor's formats.
        parts = torch.from_numpy(x).split(4096)
        return torch.cat([function(part.to(self._network_device)).cpu() for part in parts]).numpy()

    def _seed(self) -> int:
        # Not check_random_state(None), which would draw from the caller's global generator.
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31 - 1))
        try:
            source = check_random_state(self.random_state)
        except ValueError as error:
            raise ValueError(
                "random_state: expected an integer from 0 to 2**32 - 1, a RandomState instance or None,"
                f" got {self.random_state!r}"
            ) from error
        return int(source.randint(2**31 - 1))

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[1]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
