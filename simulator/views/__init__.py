"""Everything with pixels: projections of a trace to something a person looks at.

The widgets are imported when they are first asked for, so that a page or a still picture is made without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.views.page import write_page

if TYPE_CHECKING:
    from simulator.views.replay import Replay

__all__ = ["Replay", "write_page"]


def __getattr__(name: str) -> Any:
    if name == "Replay":
        from simulator.views.replay import Replay

        return Replay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
