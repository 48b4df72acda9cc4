"""Scores of a clustering, with known labels (survey 4.1) and without labels (survey 4.2)."""

from dctutor.metrics.external import (
    Confusion,
    ari,
    clustering_accuracy,
    confusion_matrix,
    majority_accuracy,
    match_labels,
    nmi,
    pair_f,
    scores,
)
from dctutor.metrics.internal import calinski_harabasz, davies_bouldin, silhouette, silhouette_samples
from dctutor.metrics.reporting import Report, report

__all__ = [
    "Confusion",
    "Report",
    "ari",
    "calinski_harabasz",
    "clustering_accuracy",
    "confusion_matrix",
    "davies_bouldin",
    "majority_accuracy",
    "match_labels",
    "nmi",
    "pair_f",
    "report",
    "scores",
    "silhouette",
    "silhouette_samples",
]
