"""What holds for all tests: Hypothesis tries the same examples every time, so that a failure is there for everyone."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "course", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("course")
