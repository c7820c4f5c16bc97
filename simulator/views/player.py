"""The player's script and styles, for every widget and page that has a replay in it.

A module is made of files put one after another, so a widget's own script calls ``mount(root, data, options)`` from
`player.js` by its bare name, and may use ``html``, ``svg`` and ``LOOKS`` too.
"""

from __future__ import annotations

from simulator.views.style import script, style_sheet


def player_script(*own: str) -> str:
    """An ES module with ``mount`` in it, followed by these scripts of this folder."""
    return script("state.js", "rows.js", "stage.js", "parts.js", "player.js", *own)


def player_style(*own: str) -> str:
    """The player's CSS, followed by these style sheets of this folder."""
    return style_sheet("replay.css", *own)
