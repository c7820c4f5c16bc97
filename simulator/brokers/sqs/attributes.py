"""A queue's attributes, with Amazon SQS's names, defaults and limits.

Source: ``CreateQueue`` in the Amazon SQS API reference. Times are in whole seconds, as there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from attrs import field, frozen

from simulator.brokers.sqs.errors import InvalidAttributeValue
from simulator.validation import RULE, Rule, broken_rules, one_of, whole_from
from simulator.values import Part

VISIBILITY_MAX = 43_200
"""Seconds (12 hours) that a message can stay hidden after one receive, however often that is extended."""

DELAY_MAX = 900
"""Seconds (15 minutes)."""

WAIT_MAX = 20
"""Seconds that a long poll can last."""

SIZE_MAX = 1_048_576
"""Bytes of a message, and of all messages of a batch together (256 KiB until 2025)."""

IN_FLIGHT_MAX = 120_000
"""How many messages can be in flight (FIFO queues: 20,000 in older texts)."""

BATCH_MAX = 10
"""Entries of a batch, and messages of one receive."""

DEDUPLICATION_INTERVAL = 300
"""Seconds (5 minutes)."""


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether a value is a whole number from least to most."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _whole(least: int, most: int, unit: str) -> dict[str, Rule]:
    """The rule for an attribute, in words that name the error that AWS answers."""
    rule = whole_from(least, most, unit)[RULE]
    return {RULE: Rule(rule.allows, f"{rule.words}; Amazon SQS refuses anything else (InvalidAttributeValue)")}


@frozen
class RedrivePolicy(Part):
    """When a message is moved to a dead-letter queue: once it has been received ``max_receive_count`` times, and not
    deleted, the next receive moves it instead of handing it out."""

    dead_letter_target: str
    """The name of the dead-letter queue (for AWS, ``deadLetterTargetArn``)."""
    max_receive_count: int = field(default=10, metadata=_whole(1, 1_000, "receives"))


@frozen(slots=False)
class QueueAttributes:
    """What can be set on a queue. A base without slots, so that a node can be one too."""

    visibility_timeout: int = field(default=30, metadata=_whole(0, VISIBILITY_MAX, "seconds"), kw_only=True)
    """Seconds that a received message stays hidden."""
    delay_seconds: int = field(default=0, metadata=_whole(0, DELAY_MAX, "seconds"), kw_only=True)
    """Seconds before a message that was sent can be received."""
    receive_message_wait_time_seconds: int = field(default=0, metadata=_whole(0, WAIT_MAX, "seconds"), kw_only=True)
    """Seconds that a receive waits for a message where it does not say so itself; 0 is short polling."""
    message_retention_period: int = field(default=345_600, metadata=_whole(60, 1_209_600, "seconds"), kw_only=True)
    """Seconds after which a message is deleted, whether anybody received it or not."""
    maximum_message_size: int = field(default=SIZE_MAX, metadata=_whole(1_024, SIZE_MAX, "bytes"), kw_only=True)
    redrive_policy: RedrivePolicy | None = field(default=None, kw_only=True)
    fifo_queue: bool = field(default=False, kw_only=True)
    content_based_deduplication: bool = field(default=False, kw_only=True)
    """FIFO only: a message without a deduplication id gets the SHA-256 of its body as one."""
    deduplication_scope: Literal["queue", "messageGroup"] = field(
        default="queue", metadata=one_of("queue", "messageGroup"), kw_only=True
    )
    """FIFO only: whether two groups may use the same deduplication id."""

    def attribute_problems(self, called: str) -> Iterator[str]:
        """What no single attribute's own rule can see."""
        for name, default in (("content_based_deduplication", False), ("deduplication_scope", "queue")):
            if not self.fifo_queue and getattr(self, name) != default:
                yield (
                    f"{called}: {name} is {getattr(self, name)!r}; a standard queue has no such attribute "
                    "(InvalidAttributeName), set fifo_queue=True too or leave it out."
                )


def check_attributes(attributes: QueueAttributes, called: str = "The queue") -> None:
    """Raise InvalidAttributeValue for the first attribute that Amazon SQS would refuse."""
    for problem in (*broken_rules(attributes, called), *attributes.attribute_problems(called)):
        raise InvalidAttributeValue(problem)


def name_problem(name: str, *, fifo_queue: bool) -> str | None:
    """What is wrong with a queue's name: the end of a sentence; None for nothing."""
    if fifo_queue and not name.endswith(".fifo"):
        return f'the name of a FIFO queue ends in ".fifo" (InvalidParameterValue); call it "{name}.fifo"'
    bare = name.removesuffix(".fifo") if fifo_queue else name
    if not re.fullmatch(r"[A-Za-z0-9_-]+", bare) or len(name) > 80:
        return "a queue's name is made of 1 to 80 letters, digits, hyphens and underscores (InvalidParameterValue)" + (
            "" if fifo_queue or not name.endswith(".fifo") else '; with ".fifo" at its end it needs fifo_queue=True'
        )
    return None
