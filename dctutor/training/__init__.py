"""The training loop that every method runs on, and what is trained before and after the clustering itself."""

from dctutor.snapshots import Snapshot
from dctutor.training.averaging import AveragedEpoch
from dctutor.training.loop import Loop, Step
from dctutor.training.normalization import measure_batch_norm, untracked_batch_norm
from dctutor.training.pretraining import divide_code, pretrain, scale_code
from dctutor.training.processes import Processes

__all__ = [
    "AveragedEpoch",
    "Loop",
    "Processes",
    "Snapshot",
    "Step",
    "divide_code",
    "measure_batch_norm",
    "pretrain",
    "scale_code",
    "untracked_batch_norm",
]
