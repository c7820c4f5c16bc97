"""Named random streams: each name has its own, so that one more draw here changes no draw there."""

from __future__ import annotations

import hashlib
from random import Random


class Streams:
    """All random streams of one run. The same seed and name give the same stream, in any process and any order of asking."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, Random] = {}

    def __call__(self, name: str) -> Random:
        stream = self._streams.get(name)
        if stream is None:
            digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
            stream = self._streams[name] = Random(int.from_bytes(digest[:16], "big"))
        return stream
