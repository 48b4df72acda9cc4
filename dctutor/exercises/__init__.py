"""Answers to the chapters' exercises, checked: right or not yet, and why.

An exercise that has a stable answer says what to pass: ``exercises.check("ex-dec-power", p[0])``. What is known of each
answer stands in ``answers.toml``. Mistakes that are easily made have hints of their own; none of them tells the answer.
"""

from dctutor.exercises._check import Verdict, check

__all__ = ["Verdict", "check"]
