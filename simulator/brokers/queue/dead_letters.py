"""What a dead letter carries, and when it goes round in circles.

Source: RabbitMQ's guide on dead-letter exchanges, and the answers of a RabbitMQ 3.10.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from simulator.brokers.queue.messages import Envelope
from simulator.brokers.queue.settings import Settings


def dead_letter(message: Envelope, reason: str, queue: Settings, now: float) -> Envelope:
    """The message as it goes to the dead-letter exchange: with its history, without its expiration."""
    content = message.content
    death: dict[str, Any] = {
        "reason": reason,
        "queue": queue.name,
        "time": int(now // 1_000),
        "exchange": message.exchange,
        "routing-keys": (message.routing_key,),
    }
    if content.expiration is not None:
        death["original-expiration"] = content.expiration
    key = queue.dead_letter_routing_key
    return Envelope(
        str(queue.dead_letter_exchange),
        message.routing_key if key is None else key,
        evolve(content, headers=_with_death(content.headers, death), expiration=None),
    )


def _with_death(headers: Mapping[str, Any], death: dict[str, Any]) -> dict[str, Any]:
    """The headers with one more death: the latest first, one entry for each queue and reason, with a count.

    A RabbitMQ 3.10.8 turns the entries behind the first one round each time. So what was once before a rejection may come to
    stand behind it, and then no cycle is seen (`without_cycles`) where the latest death of each kind would show one.
    """
    known = deaths(headers)[::-1]
    again = next((each for each in known if _same_death(each, death)), None)
    latest = {**death, "count": 1} if again is None else {**again, "count": again["count"] + 1}
    first = {f"x-first-death-{name}": death[name] for name in ("reason", "queue", "exchange")}
    history = (latest, *(each for each in known if each is not again))
    return {**first, **headers, "x-death": history}


def _same_death(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one["queue"] == other["queue"] and one["reason"] == other["reason"])


def deaths(headers: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """A message's ``x-death``: queue, reason, count … of each way in which it died; the first is the latest."""
    return tuple(headers.get("x-death", ()))


def without_cycles(message: Envelope, reason: str, queues: tuple[str, ...]) -> tuple[str, ...]:
    """The queues that a dead letter may go to: not where it was before, unless somebody rejected it on the way.

    Without that a message could go round for ever with nobody doing anything.
    """
    if reason == "rejected":
        return queues
    history = deaths(message.content.headers)
    return tuple(queue for queue in queues if not _goes_round(queue, history))


def _goes_round(queue: str, history: tuple[Mapping[str, Any], ...]) -> bool:
    for death in history:
        if death["reason"] == "rejected":
            return False
        if death["queue"] == queue:
            return True
    return False
