"""A replay as one HTML file: it steps without any kernel, and asks nothing of the network."""

from __future__ import annotations

import html
import json
from pathlib import Path

from simulator.trace import Trace
from simulator.views.player import player_script, player_style
from simulator.views.replay_data import replay_data, within


def write_page(
    trace: Trace,
    path: str | Path,
    *,
    at: int | None = None,
    first: int | None = None,
    last: int | None = None,
    focus: str | int | None = None,
) -> Path:
    """Write a trace as a page to open in any browser; the arguments are those of `Replay`. Tells where it was written.

    Raises ValueError as `Replay` does, and OSError where the file can't be written.
    """
    data = replay_data(trace, first=first, last=last, focus=focus)
    begin = data["first"] - 1 if at is None else within(data, at)
    title = html.escape(f"Replay of {data['name']}")
    # "</script>" inside a text would end the script; "<" written as an escape means the same to JSON.
    packed = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    written = Path(path)
    written.write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{player_style("page.css")}
</style>
</head>
<body class="eda">
<main>
<div id="replay"></div>
</main>
<script type="application/json" id="data">{packed}</script>
<script type="module">
{player_script()}
mount(document.querySelector("#replay"), JSON.parse(document.querySelector("#data").textContent), {{initial: {begin}}});
</script>
</body>
</html>
""",
        encoding="utf-8",
    )
    return written
