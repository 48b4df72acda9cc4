"""Recorded runs: what the book's tables are made from."""

from dctutor.experiments.profiles import profile
from dctutor.experiments.results import read_result, summary
from dctutor.experiments.run import run

__all__ = ["profile", "read_result", "run", "summary"]
