"""Colours and shapes: apart from each other for every reader, on light and on dark."""

from __future__ import annotations

import itertools
import re

import pytest

from simulator.views.style import GROUND, LOOKS, SERIES, SHAPES, colour, script, style_sheet

# Viénot, Brettel and Mollon (1999): what people without one sort of cones see of linear red, green and blue.
DEFICIENCIES = {
    "protanopia": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deuteranopia": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}


def linear(hex_colour: str) -> list[float]:
    parts = [int(hex_colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    weights = (0.2126, 0.7152, 0.0722)
    luminances = (sum(a * b for a, b in zip(linear(each), weights, strict=True)) for each in (one, other))
    lights = sorted((each + 0.05 for each in luminances), reverse=True)
    return lights[0] / lights[1]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("look", LOOKS)
def test_every_look_stands_out_from_its_ground(look, dark):
    for ground in ("surface", "raised"):
        assert contrast(colour(look, dark=dark), colour(ground, dark=dark)) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "muted"])
def test_text_can_be_read(ink, dark):
    for ground in ("surface", "raised", "empty"):
        assert contrast(colour(ink, dark=dark), colour(ground, dark=dark)) >= 4.5


def test_looks_of_one_shape_are_stages_of_one_thing():
    alike = [{one.name, other.name} for one, other in itertools.combinations(LOOKS.values(), 2) if one.shape == other.shape]

    assert alike == [{"open", "half-open"}]


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_done_again_and_lost_differ_for_the_colour_blind(deficiency):
    rows = DEFICIENCIES[deficiency]

    def seen(look: str) -> list[float]:
        here = linear(colour(look))
        return [sum(a * b for a, b in zip(row, here, strict=True)) for row in rows]

    for one, other in itertools.combinations(("done", "again", "event"), 2):
        assert max(abs(a - b) for a, b in zip(seen(one), seen(other), strict=True)) > 0.05


def test_the_style_sheet_has_every_colour_once_for_light_and_dark():
    sheet = style_sheet()

    for name in (*GROUND, *LOOKS):
        assert sheet.count(f"  --eda-{name}: light-dark({colour(name)}, {colour(name, dark=True)});") == 1


def test_the_script_brings_every_shape():
    assert all(f'"{look.name}":' in script() and SHAPES[look.shape] in script() for look in LOOKS.values())


def test_shapes_are_drawn_with_what_all_renderers_know():
    assert all(re.fullmatch(r"(?:[MLCZ]|[-+\d.,e ])+", path) for path in SHAPES.values())


def test_lines_of_a_chart_differ_in_more_than_their_colour():
    assert len({(line, marker) for _, _, line, marker in SERIES}) == len(SERIES)
