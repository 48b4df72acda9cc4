"""Hypothesis, settled for continuous integration: the same examples in every run, and no clock."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "dctutor",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("dctutor")
