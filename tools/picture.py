"""``make picture``: the README's picture, an animated SVG drawn from a real run."""

from __future__ import annotations

from pathlib import Path

from simulator import run
from simulator.reading import first
from simulator.scenarios import SCENARIOS
from simulator.views.animation import animated_svg

PICTURE = Path(__file__).parents[1] / "docs" / "replay.svg"


def main() -> None:
    """Draw the lost commit up to the moment when an order is billed twice."""
    trace = run(SCENARIOS["lost_commit"](), seed=7)
    twice = first(trace, "duplicate")
    assert twice is not None, "the scenario that shows a duplicate has none"
    print(f"Wrote {animated_svg(trace, PICTURE, last=twice.index)}.")


if __name__ == "__main__":
    main()
