"""What Amazon SQS refuses of a request before it does anything, and batches of requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from simulator.brokers.sqs.attributes import BATCH_MAX, DELAY_MAX, SIZE_MAX, QueueAttributes, is_whole
from simulator.brokers.sqs.errors import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    InvalidParameterValue,
    MissingParameter,
    SqsError,
    TooManyEntriesInBatchRequest,
)

T = TypeVar("T")

Entries = Sequence[tuple[str, Mapping[str, Any]]]
"""A batch: (id, parameters of the single operation) of each entry."""


def check(name: str, value: int, least: int, most: int) -> None:
    """Raise InvalidParameterValue unless a parameter is a whole number from least to most."""
    if not is_whole(value, least, most):
        raise InvalidParameterValue(f"{name} is {value!r}; it must be a whole number from {least:,} to {most:,}.")


def bytes_of(body: str, size: int | None) -> int:
    """The bytes of a message: those it is said to have, or those of its body in UTF-8."""
    return len(body.encode()) if size is None else size


def check_message(
    attributes: QueueAttributes, body: str, size: int, delay: int | None, group: str | None, deduplication_id: str | None
) -> None:
    """Raise MissingParameter or InvalidParameterValue for a message that this queue would not take."""
    if not body:
        raise MissingParameter("The message has no body; it must have one of at least one character.")
    most = attributes.maximum_message_size
    if size > most:
        raise InvalidParameterValue(f"The message has {size:,} bytes; it must be at most {most:,} (maximum_message_size).")
    if delay is not None:
        check("delay_seconds", delay, 0, DELAY_MAX)
    if not attributes.fifo_queue:
        if deduplication_id is not None:
            raise InvalidParameterValue("message_deduplication_id is for FIFO queues only; leave it out.")
        return
    if group is None:
        raise MissingParameter("A message to a FIFO queue needs a message_group_id.")
    if delay:
        raise InvalidParameterValue(
            f"delay_seconds is {delay}; a message to a FIFO queue has no delay of its own, set delay_seconds on the queue."
        )
    if deduplication_id is None and not attributes.content_based_deduplication:
        raise InvalidParameterValue(
            "A message to a FIFO queue needs a message_deduplication_id, unless the queue has content_based_deduplication."
        )


def check_batch(entries: Entries) -> None:
    """Raise the error of a batch that is wrong as a whole."""
    if not entries:
        raise EmptyBatchRequest(f"The batch is empty; it must have 1 to {BATCH_MAX} entries.")
    if len(entries) > BATCH_MAX:
        raise TooManyEntriesInBatchRequest(f"The batch has {len(entries)} entries; it must have at most {BATCH_MAX}.")
    seen: set[str] = set()
    for name, _ in entries:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
            raise InvalidBatchEntryId(
                f'An entry\'s id is "{name}"; it must be 1 to 80 letters, digits, hyphens, underscores.'
            )
        if name in seen:
            raise BatchEntryIdsNotDistinct(f'Two entries have the id "{name}"; give each its own.')
        seen.add(name)


def check_batch_size(entries: Entries) -> None:
    """Raise BatchRequestTooLong for messages that are too long together."""
    total = sum(bytes_of(str(entry.get("message_body", "")), entry.get("size")) for _, entry in entries)
    if total > SIZE_MAX:
        raise BatchRequestTooLong(f"The batch's messages have {total:,} bytes together; it must be at most {SIZE_MAX:,}.")


def each(operation: Callable[..., T], now: float, entries: Entries) -> dict[str, T | SqsError]:
    """Do the operation for each entry of a batch; what came of each, by its id."""
    return {name: _tried(operation, now, entry) for name, entry in entries}


def _tried(operation: Callable[..., T], now: float, entry: Mapping[str, Any]) -> T | SqsError:
    try:
        return operation(now, **entry)
    except SqsError as error:
        return error
