"""What holds for all tests: how many examples Hypothesis tries of a property, and that it tries the same ones every time."""

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

# A failure that one reader meets is there for every reader.
settings.register_profile("course", derandomize=True, max_examples=60, **_COMMON)
# For a machine that has an hour: other examples each time, many more of them.
settings.register_profile("soak", derandomize=False, max_examples=3_000, print_blob=True, **_COMMON)
settings.load_profile("course")
