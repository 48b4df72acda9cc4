"""Clustering of a sample in place of all samples, where a method compares all pairs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

__all__ = ["label_by_sample", "label_of_nearest"]


def label_by_sample(
    points: NDArray[Any],
    cluster: Callable[[NDArray[Any]], NDArray[np.int64]],
    sample: int,
    generator: torch.Generator,
) -> NDArray[np.int64]:
    """Label points, shape (n,): ``cluster`` labels ``sample`` of them at most, the others follow their nearest."""
    if len(points) <= sample:
        return cluster(points)
    drawn = torch.randperm(len(points), generator=generator)[:sample].numpy()
    return label_of_nearest(points[drawn], cluster(points[drawn]), points)


def label_of_nearest(known: NDArray[Any], labels: NDArray[np.int64], points: NDArray[Any]) -> NDArray[np.int64]:
    """Give each point the label of the nearest one whose label is known."""
    return KNeighborsClassifier(1).fit(known, labels).predict(points)
