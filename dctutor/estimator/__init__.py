"""The scikit-learn estimator that every method of the book is, and what a method of your own builds on."""

from dctutor.estimator.base import DeepClusterer
from dctutor.estimator.pretrained import PretrainedClusterer

__all__ = ["DeepClusterer", "PretrainedClusterer"]
