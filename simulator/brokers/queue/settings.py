"""A queue's settings: what may be asked of a classic queue and of a quorum queue.

Source: RabbitMQ's guides on queues, quorum queues, TTL, length limit, priority and dead-letter exchanges, and the answers of a
RabbitMQ 3.10.8. Arguments that the broker does not know are accepted and mean nothing, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from attrs import field, frozen

from simulator.brokers.queue.errors import AmqpError

CLASSIC: Literal["classic"] = "classic"
QUORUM: Literal["quorum"] = "quorum"


class _Argument(NamedTuple):
    allows: Callable[[Any], bool]
    words: str
    queue_type: str = ""
    """The one type of queue that takes it; "" for both."""


LONGEST = 10 * 365 * 24 * 3_600 * 1_000
"""The longest time to live, in ms: ten years."""


def _whole(least: int, most: int = 2**63 - 1) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _one_of(*choices: str, queue_type: str = "") -> _Argument:
    return _Argument(lambda value: value in choices, "one of " + ", ".join(f'"{each}"' for each in choices), queue_type)


def _text(value: Any) -> bool:
    return isinstance(value, str)


ARGUMENTS: dict[str, _Argument] = {
    "x-queue-type": _one_of(CLASSIC, QUORUM),
    "x-message-ttl": _Argument(_whole(0, LONGEST), f"a whole number of ms from 0 to {LONGEST}"),
    "x-expires": _Argument(_whole(1, LONGEST), f"a whole number of ms from 1 to {LONGEST}"),
    "x-max-length": _Argument(_whole(0), "a whole number of 0 or more"),
    "x-max-length-bytes": _Argument(_whole(0), "a whole number of 0 or more (bytes)"),
    "x-overflow": _one_of("drop-head", "reject-publish", "reject-publish-dlx"),
    "x-dead-letter-exchange": _Argument(_text, "the name of an exchange"),
    "x-dead-letter-routing-key": _Argument(_text, "a routing key"),
    "x-max-priority": _Argument(_whole(0, 255), "a whole number from 0 to 255", CLASSIC),
    "x-single-active-consumer": _Argument(lambda value: isinstance(value, bool), "True or False"),
    "x-delivery-limit": _Argument(_whole(-(2**63)), "a whole number", QUORUM),
    "x-queue-mode": _one_of("default", "lazy", queue_type=CLASSIC),
}
"""Every argument of a queue that means something here."""


@frozen
class Settings:
    """What a queue was declared with. Names without ``x-``; times in milliseconds."""

    name: str
    type: Literal["classic", "quorum"] = field(default=CLASSIC, kw_only=True)
    durable: bool = field(default=False, kw_only=True)
    auto_delete: bool = field(default=False, kw_only=True)
    owner: str | None = field(default=None, kw_only=True)
    """The connection that an exclusive queue belongs to."""
    message_ttl: int | None = field(default=None, kw_only=True)
    expires: int | None = field(default=None, kw_only=True)
    max_length: int | None = field(default=None, kw_only=True)
    max_length_bytes: int | None = field(default=None, kw_only=True)
    overflow: Literal["drop-head", "reject-publish", "reject-publish-dlx"] = field(default="drop-head", kw_only=True)
    dead_letter_exchange: str | None = field(default=None, kw_only=True)
    dead_letter_routing_key: str | None = field(default=None, kw_only=True)
    max_priority: int = field(default=0, kw_only=True)
    single_active_consumer: bool = field(default=False, kw_only=True)
    delivery_limit: int | None = field(default=None, kw_only=True)
    queue_mode: str = field(default="default", kw_only=True)
    """"lazy" means nothing here: it is about memory."""
    given: frozenset[str] = field(default=frozenset(), kw_only=True)
    """The arguments that were named. Two declarations must name the same, even where what they name is the default."""

    @classmethod
    def of(
        cls,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        owner: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Settings:
        """The settings from a declaration. Raises PRECONDITION_FAILED for what the broker refuses."""
        given = {key: value for key, value in (arguments or {}).items() if key in ARGUMENTS}
        queue_type = given.get("x-queue-type", CLASSIC)
        for key, value in given.items():
            argument = ARGUMENTS[key]
            if not argument.allows(value):
                raise _refused(name, f"{key} is {value!r}; it must be {argument.words}")
            if argument.queue_type not in ("", queue_type):
                raise _refused(name, f"a {queue_type} queue does not take {key}; a {argument.queue_type} queue does")
        if "x-dead-letter-routing-key" in given and "x-dead-letter-exchange" not in given:
            raise _refused(name, "x-dead-letter-routing-key needs x-dead-letter-exchange beside it")
        if queue_type == QUORUM:
            _check_quorum(name, durable, auto_delete, owner)
        named = {key.removeprefix("x-").replace("-", "_"): value for key, value in given.items()}
        named["type"] = named.pop("queue_type", CLASSIC)
        if queue_type == QUORUM and named.get("overflow") == "reject-publish-dlx":
            # The broker accepts it, and drops from the head all the same.
            named["overflow"] = "drop-head"
        named["given"] = frozenset(given) - {"x-queue-type"}
        # An exclusive queue goes with its connection, whatever is said of its durability.
        return cls(name, durable=durable and owner is None, auto_delete=auto_delete, owner=owner, **named)


def _check_quorum(name: str, durable: bool, auto_delete: bool, owner: str | None) -> None:
    if not durable:
        raise _refused(name, "a quorum queue is durable; declare it with durable=True, or as a classic queue")
    if auto_delete:
        raise _refused(name, "a quorum queue can't be auto-delete; leave that out, or declare a classic queue")
    if owner is not None:
        raise _refused(name, "a quorum queue can't be exclusive; leave that out, or declare a classic queue")


def _refused(name: str, sentence: str) -> AmqpError:
    return AmqpError("PRECONDITION_FAILED", f'queue "{name}": {sentence}.')
