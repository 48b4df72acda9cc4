"""What each data set is, where it comes from and under which licence it may be used."""

from dataclasses import dataclass

import numpy as np


class DatasetUnavailableError(OSError):
    """A data set is missing and cannot be fetched, or a file of it is damaged."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set with what a reader must know to use and to cite it.

    Attributes
    ----------
    name : str
        The name it was loaded by.
    X : ndarray of float32, shape (n, d)
        One row a sample: pixels in [0, 1], HAPT's features in [-1, 1], or a network's features.
    y : ndarray of int64, shape (n,)
        Class numbers from 0, for evaluation; no method sees them that is not given them.
    image_shape : tuple of int or None
        ``(C, H, W)`` with ``C * H * W == d``, or None where rows are no images.
    label_names : tuple of str
        ``label_names[y[i]]`` names the class of row ``i``.
    split : {"all", "train", "test"}
        The part that was loaded.
    licence, citation, source, description : str
        Terms of use, full reference, address, and one sentence on the content.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    image_shape: tuple[int, int, int] | None
    label_names: tuple[str, ...]
    split: str
    licence: str
    citation: str
    source: str
    description: str

    @property
    def images(self) -> np.ndarray:
        """`X` as images, a view of shape (n, C, H, W).

        Raises
        ------
        AttributeError
            If the rows are no images.
        """
        if self.image_shape is None:
            raise AttributeError(f"The data set {self.name!r} holds feature vectors, not images: use its X.")
        return self.X.reshape(-1, *self.image_shape)

    def __repr__(self) -> str:
        shape = "" if self.image_shape is None else f", image_shape={self.image_shape}"
        return (
            f"Dataset({self.name!r}, split={self.split!r}, n={self.X.shape[0]}, d={self.X.shape[1]}, "
            f"classes={len(self.label_names)}{shape}, licence={self.licence!r})"
        )


@dataclass(frozen=True)
class Entry:
    """Catalogue entry; `folder` is None for the sets that need no download."""

    name: str
    image_shape: tuple[int, int, int] | None
    label_names: tuple[str, ...]
    licence: str
    citation: str
    source: str
    description: str
    levels: int = 255  # brightest pixel value in the stored files
    folder: str | None = None
    files: tuple[str, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()  # number of rows of each official split, or of "all" where there is none
    counts: tuple[tuple[str, tuple[int, ...]], ...] = ()  # of each split: rows of the first classes
    brightness: tuple[float, ...] = ()  # mean pixel of each class, as a fraction of `levels`


_DIGITS = tuple("0123456789")
_GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_MNIST_REFERENCE = (
    "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner. Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86(11):2278-2324, 1998. doi:10.1109/5.726791"
)
_FASHION_REFERENCE = (
    "H. Xiao, K. Rasul and R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking machine "
    "learning algorithms. arXiv:1708.07747, 2017."
)
_IDX = tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_HAPT_TABLES = ("X", "y")

_ALL = (
    Entry(
        name="digits",
        image_shape=(1, 8, 8),
        label_names=_DIGITS,
        levels=16,
        licence="CC BY 4.0",
        citation="E. Alpaydin and C. Kaynak. Optical recognition of handwritten digits. UCI Machine Learning "
        "Repository, 1998. doi:10.24432/C50P49",
        source="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        description="1,797 handwritten digits of 8x8 pixels, scikit-learn's copy.",
    ),
    Entry(
        name="mnist-5k",
        image_shape=(1, 28, 28),
        label_names=_DIGITS,
        licence="CC BY-SA 3.0",
        citation=_MNIST_REFERENCE,
        source="http://yann.lecun.com/exdb/mnist/",
        description="5,000 handwritten digits: the first 500 training images of each class of MNIST.",
    ),
    Entry(
        name="fashion-5k",
        image_shape=(1, 28, 28),
        label_names=_GARMENTS,
        licence="MIT",
        citation=_FASHION_REFERENCE,
        source="https://github.com/zalandoresearch/fashion-mnist",
        description="5,000 garments: the first 500 training images of each class of Fashion-MNIST.",
    ),
    Entry(
        name="cifar10-features",
        image_shape=None,
        label_names=_THINGS,
        licence="features only: Apache-2.0 (the network); the authors of CIFAR-10 state no licence",
        citation="A. Krizhevsky. Learning multiple layers of features from tiny images. Technical report, University "
        "of Toronto, 2009. Features by EfficientNet-lite0: M. Tan and Q. V. Le. EfficientNet: rethinking model scaling "
        "for convolutional neural networks. ICML, 2019.",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        description="3,000 photographs of CIFAR-10's test split, 300 of each class, re-encoded (JPEG), as 320 features "
        "of a network that was trained on ImageNet with labels.",
    ),
    Entry(
        name="mnist",
        image_shape=(1, 28, 28),
        label_names=_DIGITS,
        licence="CC BY-SA 3.0",
        citation=_MNIST_REFERENCE,
        source="http://yann.lecun.com/exdb/mnist/",
        description="70,000 handwritten digits of 28x28 pixels.",
        folder="MNIST/raw",
        files=_IDX,
        sizes=(("train", 60_000), ("test", 10_000)),
    ),
    Entry(
        name="fashion",
        image_shape=(1, 28, 28),
        label_names=_GARMENTS,
        licence="MIT",
        citation=_FASHION_REFERENCE,
        source="https://github.com/zalandoresearch/fashion-mnist",
        description="70,000 photographs of garments, 28x28 pixels.",
        folder="FashionMNIST/raw",
        files=_IDX,
        sizes=(("train", 60_000), ("test", 10_000)),
    ),
    Entry(
        name="hapt",
        image_shape=None,
        label_names=(
            *("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying"),
            *("stand to sit", "sit to stand", "sit to lie", "lie to sit", "stand to lie", "lie to stand"),
        ),
        licence="CC BY 4.0",
        citation="J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra and D. Anguita. Transition-aware human "
        "activity recognition using smartphones. Neurocomputing 171:754-767, 2016. "
        "doi:10.1016/j.neucom.2015.07.085",
        source="https://archive.ics.uci.edu/dataset/341/"
        "smartphone+based+recognition+of+human+activities+and+postural+transitions",
        description="Smartphone motion in windows of 2.56 s, 561 features each, 12 activities of 30 people.",
        folder="HAPT",
        files=tuple(f"{part}/{table}_{part.lower()}.txt" for part in ("Train", "Test") for table in _HAPT_TABLES),
        sizes=(("train", 7_767), ("test", 3_162)),
        # The six activities only, from a re-extracted copy: copies differ in the windows of the short transitions.
        counts=(("train", (1_226, 1_073, 987, 1_293, 1_423, 1_413)), ("test", (496, 471, 420, 508, 556, 545))),
    ),
    Entry(
        name="orl",
        image_shape=(1, 32, 32),
        label_names=tuple(f"person {i}" for i in range(1, 41)),
        licence="free with credit to AT&T Laboratories Cambridge",
        citation="F. S. Samaria and A. C. Harter. Parameterisation of a stochastic model for human face "
        "identification. IEEE Workshop on Applications of Computer Vision, 138-142, 1994. doi:10.1109/ACV.1994.341300",
        source="https://cam-orl.co.uk/facedatabase.html",
        description="400 portraits of 40 people, 32x32 pixels.",
        folder="ORL",
        files=("ORL_32x32.mat",),
        sizes=(("all", 400),),
    ),
    Entry(
        name="coil-20",
        image_shape=(1, 32, 32),
        label_names=tuple(f"object {i}" for i in range(1, 21)),
        levels=1,
        licence="free for research (Columbia University)",
        citation="S. A. Nene, S. K. Nayar and H. Murase. Columbia object image library (COIL-20). Technical report "
        "CUCS-005-96, Columbia University, 1996.",
        source="https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php",
        description="1,440 photographs of 20 objects, each turned in steps of 5 degrees, 32x32 pixels.",
        folder="COIL20",
        files=("COIL20.mat",),
        sizes=(("all", 1_440),),
        # From a copy of 32x32 pixels whose every value is a mean of 16 bytes; not compared with the archive itself.
        brightness=(
            *(0.423, 0.305, 0.166, 0.314, 0.248, 0.181, 0.276, 0.285, 0.300, 0.280),
            *(0.328, 0.330, 0.377, 0.409, 0.429, 0.308, 0.492, 0.166, 0.203, 0.213),
        ),
    ),
)
ENTRIES = {entry.name: entry for entry in _ALL}
