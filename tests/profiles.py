"""How many examples of a property are tried, in proportion to what the profile says (see tests/conftest.py)."""

from typing import Any

from hypothesis import settings


def some(share: float, **more: Any) -> settings:
    """Settings for a property of which an ordinary run can afford only a ``share`` of the usual number of examples."""
    return settings(max_examples=max(1, round(share * settings.default.max_examples)), **more)
