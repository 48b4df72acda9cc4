"""The training loop that every method runs on, and what is trained before and after the clustering itself."""

from dctutor.training.averaging import average_epoch
from dctutor.training.loop import Loop, Step
from dctutor.training.pretraining import pretrain, scale_code

__all__ = ["Loop", "Step", "average_epoch", "pretrain", "scale_code"]
