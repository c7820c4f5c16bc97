"""What crosses a link."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Message(NamedTuple):
    """An immutable envelope.

    A message is made once and may be sent many times: a retry sends the same ``id`` again, which is how a duplicate
    can be told from two messages that say the same. Ids count from 1 in the order the messages of a run were made.
    """

    id: int
    kind: str
    """The type of the domain event it carries (``"OrderCreated"``), or its part in a protocol (``"fetch"``)."""
    key: str | None = None
    payload: Any = None
    """Anything JSON can say, made immutable by `freeze`."""
    headers: tuple[tuple[str, str], ...] = ()
    in_reply_to: int = 0
    """The id of the message that this one answers; 0 if it answers none."""
    size: int = 0
    """Bytes; they only matter on a link with a bandwidth."""


def freeze(value: Any) -> Any:
    """The same JSON-able value, immutable: lists become tuples, mappings become read-only.

    Raises TypeError for anything JSON cannot say, since a trace could not be saved with it.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"A payload holds what JSON can say, and JSON has no number {value}.")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return tuple(freeze(each) for each in value)
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError(f"A payload's names must be text, as in JSON; these are {list(value)!r}.")
        return MappingProxyType({name: freeze(each) for name, each in value.items()})
    raise TypeError(
        f"A payload holds what JSON can say (text, numbers, lists, mappings, None), not {type(value).__name__}: {value!r}."
    )


def thaw(value: Any) -> Any:
    """The same value as plain lists and dicts, as `json.dumps` takes it."""
    if isinstance(value, tuple):
        return [thaw(each) for each in value]
    if isinstance(value, Mapping):
        return {name: thaw(each) for name, each in value.items()}
    return value
