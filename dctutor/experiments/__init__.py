"""Recorded runs: what the book's tables are made from."""

from dctutor.experiments.profiles import profile
from dctutor.experiments.results import read_result, summary, table
from dctutor.experiments.run import run
from dctutor.experiments.sweep import SweepResult, read_sweep, sweep

__all__ = ["SweepResult", "profile", "read_result", "read_sweep", "run", "summary", "sweep", "table"]
