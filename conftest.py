"""What holds for every test, the notebooks' cells included."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave out of nbval's comparisons what `make notebooks` doesn't store."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("application/javascript", "image/svg+xml", "text/html")
