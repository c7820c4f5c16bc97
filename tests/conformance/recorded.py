"""What real systems answered; each file names its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def recorded(name: str) -> Any:
    """The contents of ``data/<name>.json``."""
    return json.loads(Path(__file__).with_name("data").joinpath(f"{name}.json").read_text(encoding="utf-8"))
