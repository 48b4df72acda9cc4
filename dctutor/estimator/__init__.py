"""The scikit-learn estimator that every method of the book is, and what a method of your own builds on."""

from dctutor.estimator.base import DeepClusterer, Trained
from dctutor.estimator.parameters import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    ProperFraction,
    Range,
    Sizes,
    Whole,
)
from dctutor.estimator.pretrained import PretrainedClusterer
from dctutor.estimator.sampling import Sampling
from dctutor.estimator.scaling import Scaling
from dctutor.storage import FileFormatError

__all__ = [
    "Count",
    "DeepClusterer",
    "FileFormatError",
    "Fraction",
    "NonNegative",
    "Positive",
    "PositiveFraction",
    "PretrainedClusterer",
    "ProperFraction",
    "Range",
    "Sampling",
    "Scaling",
    "Sizes",
    "Trained",
    "Whole",
]
