"""The scikit-learn estimator that every method of the book is: its arguments, its fit, and every hook of a method."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from dctutor._inputs import as_array, image_shape, shape_of
from dctutor._validation import unchanged_on_error
from dctutor.architectures import StudentT
from dctutor.classical import weighted_means
from dctutor.devices import plain_modes
from dctutor.estimator._checks import known_labels, seed_of, warn_of_empty, warn_of_means
from dctutor.estimator._identity import fingerprint
from dctutor.estimator.parameters import Count, NonNegative, check_arguments
from dctutor.estimator.persistence import Saved
from dctutor.estimator.prediction import Fitted
from dctutor.estimator.scaling import Rule, Scaling
from dctutor.training.checkpoint import Checkpoint
from dctutor.training.loop import Loop
from dctutor.training.processes import Processes

__all__ = ["DeepClusterer", "Trained"]


@dataclass
class Trained:
    """What a method's `DeepClusterer._train` returns.

    Attributes
    ----------
    network : nn.Module
        The trained network. It has ``encode``, and ``decode`` if it can reconstruct.
    head : nn.Module or None
        What ``assign``-s codes to clusters, as `DeepClusterer._build_head` makes it; None is the default head,
        Student's t, around ``centers``.
    centers : Tensor of shape (K, p) or None
        Cluster centres in the embedding; by default those of the head, or the means of the embedding, weighted by the
        soft assignments.
    labels : array of shape (n,) or None
        Clusters of the training data; by default the most probable ones.
    arrays : dict of str to array
        More fitted attributes, which are saved with the model; their names end in an underscore.
    """

    network: nn.Module
    head: nn.Module | None = None
    centers: Tensor | None = None
    labels: Tensor | NDArray[np.int64] | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict)


# A dataclass writes the constructor that scikit-learn asks for: arguments stored as given, nothing else.
@dataclass(eq=False, repr=False)
class DeepClusterer(Saved, Fitted, ABC):
    """Base of all methods: data in, labels out; devices, saving and snapshots in between.

    A method declares its own arguments with their ranges (`dctutor.estimator.parameters`), makes its network in
    `_build_network`, and trains it in `_train`.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of clusters, K.
    image_shape : (C, H, W) or None, default=None
        Shape of one sample, if ``X`` holds flat images. Only methods with convolutions need it.
    batch_size : int, default=256
        Samples per training step; all of them if there are fewer.
    device : str, default="auto"
        CUDA, then MPS, then the CPU; or the name of a PyTorch device.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        ``"auto"`` takes bfloat16 for the network if the processor multiplies it natively. Losses and cluster statistics
        are always float32.
    random_state : int, RandomState instance or None, default=None
        An int makes two fits on one machine, with as many threads, agree bit for bit. The global random state is left
        as it is.
    verbose : bool, default=True
        Show a progress bar for each phase that lasts longer than a second.
    checkpoint : path-like or None, default=None
        A file to keep the state of training in. A fit that finds its own checkpoint there goes on from it, and ends
        with the labels of one never interrupted. One file serves one fit: it stays when that has ended, and gives its
        result to the same fit, including one without a seed. Any other fit is refused.
    checkpoint_seconds : float, default=30
        The least time between two writes of it, which come after whole epochs. An interruption costs what was trained
        since the last one.
    snapshot_every : int or None, default=None
        Record the embedding of up to 1,000 samples every so many epochs.
    on_epoch : callable or None, default=None
        Called with the `dctutor.training.Loop` after every epoch, for logging or pruning: ``loop.phase``,
        ``loop.epoch`` and ``loop.history`` say where it is. If it returns True, the phase ends; what it raises ends the
        fit. It is not saved with the model.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Cluster of each training sample.
    cluster_centers_ : ndarray of shape (K, p)
        Centres in the embedding.
    network_ : nn.Module
        The trained network, from scaled inputs to the embedding: ``network_.encode``. It sees ``scaling_.apply(X)``.
    head_ : nn.Module
        From the embedding to soft assignments: ``head_.assign``.
    scaling_ : Scaling
        How inputs are scaled: ``apply`` and ``undo``, ``shift`` and ``factor``.
    history_ : dict of str to dict of str to list
        One table per phase of training: ``"epoch"`` and the mean of each loss; some have ``"changed"``, the fraction of
        labels that changed. A table whose name has a slash is not one of epochs, such as ``"cluster/refresh"``: one row
        per new target.
    snapshots_ : list of Snapshot
        The recorded embeddings, in the precision of training; ``snapshot_index_`` holds the indices of their samples.
    n_iter_ : int
        Epochs of the last phase.
    seconds_ : float
        Wall-clock time of the fit, over all the stretches that checkpoints joined.
    n_features_in_ : int
        Width of the (flattened) input.
    image_shape_ : (C, H, W) or None
        Shape of one sample, if the data were images or ``image_shape`` said that they are.
    """

    input_scaling: ClassVar[Rule] = "unit_power"  # see `Scaling.learn`
    takes_labels: ClassVar[bool] = False  # whether `fit` looks at y

    n_clusters: Count = 10
    _: KW_ONLY
    image_shape: Sequence[int] | None = None
    batch_size: Count = 256
    device: str | torch.device = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: bool = True
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_seconds: NonNegative = 30.0
    snapshot_every: Count | None = None
    on_epoch: Callable[[Loop], Any] | None = None

    # What a method provides

    def _check_params(self) -> None:
        """Check what the declarations cannot say: arguments that depend on each other."""

    def _scaling_rule(self) -> Rule:
        """Say how inputs are scaled, if arguments decide it."""
        return self.input_scaling

    @abstractmethod
    def _build_network(self, n_features: int) -> nn.Module:
        """Make the untrained network for inputs of this width."""

    def _build_head(self, embedding_dim: int) -> nn.Module:
        """Make the untrained head for codes of this width."""
        return StudentT(self.n_clusters, embedding_dim)

    @abstractmethod
    def _train(self, loop: Loop) -> Trained:
        """Train on the loop's data."""

    # `_assign(self, x)`, from scaled inputs to soft assignments, is in `Fitted`

    # What a user calls first; `Fitted` and `Saved` have the rest

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the embedding and the clusters.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples; images may keep their shape. Computed in float32, and scaled as ``scaling_`` then says. Most
            methods only rescale the data and do not centre them. If the means of features dominate the variance,
            subtract them first; `fit` warns when they do.
        y : array-like of shape (n,), optional
            Ignored, except by methods with `takes_labels`: the class of each sample, -1 where it is unknown.

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
            If the means of features hide what the samples differ in.
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
        check_arguments(self)
        self._check_params()
        seed = Processes.current().first(seed_of(self.random_state))
        x = self._validate(X, reset=True)
        self._keep_arguments()
        if len(x) < self.n_clusters:
            raise ValueError(f"X: expected at least n_clusters={self.n_clusters} samples, got n_samples={len(x)}")
        known = known_labels(as_array(y), len(x)) if self.takes_labels else None
        self.image_shape_ = image_shape(self.image_shape, shape_of(X), x.shape[1])
        rule = self._scaling_rule()
        self.scaling_ = Scaling.learn(rule, x)
        x = self.scaling_.apply(x)
        if rule == "unit_power":
            # Pictures share most of their brightness, and a network's first layer deals with that much.
            warn_of_means(x, 0.9 if self.image_shape_ is None else 0.98, stacklevel=4)
        self.snapshot_index_ = np.linspace(0, len(x) - 1, min(len(x), 1000)).astype(np.intp)
        checkpoint = None
        if self.checkpoint is not None:
            checkpoint = Checkpoint(self.checkpoint, fingerprint(self, x, seed, known), self.checkpoint_seconds)
        loop = Loop(
            x,
            y=known,
            seed=seed,
            device=str(self.device),
            precision=self.precision,
            verbose=bool(self.verbose),
            checkpoint=checkpoint,
            snapshot_every=self.snapshot_every,
            snapshot_index=self.snapshot_index_,
            on_epoch=self.on_epoch,
        )
        self._take(self._train(loop), loop, x)

    def _take(self, trained: Trained, loop: Loop, x: NDArray[np.float32]) -> None:
        """Turn what training left into the attributes of a fitted estimator."""
        self.network_, head = trained.network.eval(), trained.head
        if head is None:
            if trained.centers is None:
                raise ValueError("_train: expected a head or centres, got neither")
            head = self._build_head(trained.centers.shape[1]).to(loop.device)
            with torch.no_grad():
                head.get_parameter("centers").copy_(trained.centers)
        self.head_ = head.eval()
        embedding = torch.from_numpy(self._batched(self.network_.encode, x))
        assigned = torch.from_numpy(self._batched(self._assign, x))
        centers = getattr(head, "centers", None) if trained.centers is None else trained.centers
        centers = weighted_means(embedding, assigned) if centers is None else centers.detach().float().cpu()
        loop.check_finite(embedding=embedding, centers=centers)
        self.cluster_centers_ = centers.numpy().copy()
        self.history_, self.snapshots_, self.n_iter_ = loop.history, loop.snapshots, loop.epoch
        labels = assigned.argmax(1) if trained.labels is None else torch.as_tensor(trained.labels)
        self.labels_ = labels.cpu().numpy().astype(np.int64)
        k = assigned.shape[1]
        if self.labels_.shape != (len(x),) or not 0 <= self.labels_.min() <= self.labels_.max() < k:
            raise ValueError(f"_train: expected labels of shape ({len(x)},) from 0 to {k - 1}, got {trained.labels}")
        self._arrays = tuple(trained.arrays)
        if not all(name.endswith("_") for name in self._arrays):
            raise ValueError(f"_train: expected names of arrays that end in an underscore, got {self._arrays}")
        for name, values in trained.arrays.items():
            setattr(self, name, torch.as_tensor(values).detach().cpu().numpy())
        warn_of_empty(self.labels_, self.n_clusters, stacklevel=5)
        self.seconds_ = loop.seconds
