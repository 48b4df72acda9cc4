"""Recorded runs: what the book's tables are made from."""

from dctutor.experiments.run import PROFILES, run, summary

__all__ = ["PROFILES", "run", "summary"]
