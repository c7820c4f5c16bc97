"""A queue like Amazon SQS: what it keeps and decides. No clock but the ``now`` passed in, in milliseconds.

The operations and their parameters are those of the Amazon SQS API reference, in Python's spelling; so are the errors.
Simplified: no permissions, no encryption, no throughput quotas, no message attributes, no fair queues (a standard queue
takes a ``message_group_id`` and makes nothing of it); changes take effect at once, where AWS takes up to a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from heapq import heappop, heappush

from simulator.brokers.sqs import attributes as limits
from simulator.brokers.sqs.attributes import QueueAttributes, check_attributes, is_whole
from simulator.brokers.sqs.errors import (
    InvalidParameterValue,
    MessageNotInflight,
    OverLimit,
    PurgeQueueInProgress,
    ReceiptHandleIsInvalid,
    SqsError,
)
from simulator.brokers.sqs.fifo import Groups, Recent
from simulator.brokers.sqs.requests import Entries, bytes_of, check, check_batch, check_batch_size, check_message, each
from simulator.brokers.sqs.standard import Servers
from simulator.brokers.sqs.stored import (
    AVAILABLE,
    DELAYED,
    IN_FLIGHT,
    Change,
    Letter,
    Received,
    Sent,
    Stored,
    letter_of,
    sequence_number,
    told,
)

_PURGE_INTERVAL = 60_000.0


class Queue:
    """One queue, standard or FIFO.

    ``draw`` gives a number from 0 up to 1 and decides what a standard queue leaves to chance (see `Servers`). Every operation
    first lets time pass (`advance`). Raises InvalidAttributeValue for attributes that AWS would refuse.
    """

    def __init__(
        self,
        attributes: QueueAttributes,
        draw: Callable[[], float] = lambda: 0.0,
        *,
        name: str = "",
        servers: int = 1,
        unreachable: float = 0.0,
        in_flight_max: int = limits.IN_FLIGHT_MAX,
    ) -> None:
        check_attributes(attributes)
        self.attributes = attributes
        self.name = name
        self.messages: dict[int, Stored] = {}
        """What is in the queue, by message id, oldest first."""
        self.in_flight = 0
        """How many messages are in flight (``ApproximateNumberOfMessagesNotVisible``)."""
        self.dead_lettered: list[Stored] = []
        """What the last receive moved towards the dead-letter queue."""
        self.leaving: dict[int, Letter] = {}
        """What is on its way to another queue, by message id, until that has it."""
        self._offers: Servers | Groups = (
            Groups(self.messages, in_flight_max)
            if attributes.fifo_queue
            else Servers(self.messages, draw, servers, unreachable)
        )
        self._in_flight_max = in_flight_max
        self._last = 0
        self._last_handle = 0
        self._handles: dict[int, int] = {}
        """Message ids by receipt handle, of messages that are still here."""
        self._due: list[tuple[float, int]] = []
        self._expiring: list[tuple[float, int]] = []
        self._changes: list[Change] = []
        self._sent: Recent[int] = Recent()
        """Which message was sent, by its deduplication id and the scope of that."""
        self._attempts: Recent[tuple[int, ...]] = Recent()
        """Which receipt handles were given out, by the receive's attempt id."""
        self._arrived: set[tuple[str, int]] = set()
        self._purged_at: float | None = None

    # What time does.

    def advance(self, now: float) -> list[Change]:
        """Let time pass until now; tells what happened since this was last asked: delays and visibility timeouts that were over,
        messages that were deleted since they were kept long enough."""
        while True:
            due = self._due[0] if self._due else None
            expiring = self._expiring[0] if self._expiring else None
            if due is not None and due[0] <= now and (expiring is None or due[0] < expiring[0]):
                self._reveal(*heappop(self._due))
            elif expiring is not None and expiring[0] <= now:
                stored = self.messages.get(heappop(self._expiring)[1])
                if stored is not None:
                    self._changes.append(Change(stored, "retention period over"))
                    self._remove(stored)
            else:
                break
        changes, self._changes = self._changes, []
        return changes

    def next_change(self) -> float | None:
        """When time will next change something; None for never. (It may turn out to be less than that: ask `advance`.)"""
        for heap in (self._due, self._expiring):
            while heap and not self._concerns(heap, *heap[0]):
                heappop(heap)
        return min((heap[0][0] for heap in (self._due, self._expiring) if heap), default=None)

    def _concerns(self, heap: list[tuple[float, int]], time: float, number: int) -> bool:
        stored = self.messages.get(number)
        return stored is not None and (heap is self._expiring or stored.state != AVAILABLE and stored.visible_at == time)

    def _reveal(self, time: float, number: int) -> None:
        stored = self.messages.get(number)
        if stored is None or stored.state == AVAILABLE or stored.visible_at != time:
            return
        what = "delay over" if stored.state == DELAYED else "visibility timeout over"
        self._show(stored)
        self._changes.append(Change(stored, what))

    def _show(self, stored: Stored) -> None:
        again = stored.state == IN_FLIGHT
        self.in_flight -= again
        stored.state = AVAILABLE
        self._offers.show(stored, again=again)

    def _remove(self, stored: Stored) -> None:
        del self.messages[stored.number]
        self.in_flight -= stored.state == IN_FLIGHT
        for handle in stored.handles:
            del self._handles[handle]
        self._offers.discard(stored)

    # Sending.

    def send_message(
        self,
        now: float,
        message_body: str,
        *,
        record: int = 0,
        size: int | None = None,
        delay_seconds: int | None = None,
        message_group_id: str | None = None,
        message_deduplication_id: str | None = None,
    ) -> Sent:
        """Store a message.

        ``record`` is a number that comes back with the message, ``size`` its bytes (None: those of its body in UTF-8). Raises
        InvalidParameterValue and MissingParameter.
        """
        self._settle(now)
        own = self.attributes
        size = bytes_of(message_body, size)
        check_message(own, message_body, size, delay_seconds, message_group_id, message_deduplication_id)
        group = message_group_id or ""
        if not own.fifo_queue:
            stored = self._store(record, message_body, size, now, group)
            self._admit(stored, now, own.delay_seconds if delay_seconds is None else delay_seconds)
            return Sent(stored.number)
        deduplication_id = message_deduplication_id or hashlib.sha256(message_body.encode()).hexdigest()
        scope = (group if own.deduplication_scope == "messageGroup" else "", deduplication_id)
        known = self._sent.get(scope, now)
        if known is not None:
            return Sent(known, sequence_number(known), duplicate=True)
        stored = self._store(record, message_body, size, now, group)
        self._sent.note(scope, stored.number, now)
        self._admit(stored, now, own.delay_seconds)
        return Sent(stored.number, sequence_number(stored.number))

    def send_message_batch(self, now: float, entries: Entries) -> dict[str, Sent | SqsError]:
        """Send up to ten messages; what came of each, by its entry's id. A batch that is wrong as a whole raises an error."""
        check_batch(entries)
        check_batch_size(entries)
        return each(self.send_message, now, entries)

    def _store(self, record: int, body: str, size: int, sent_at: float, group: str) -> Stored:
        self._last += 1
        stored = Stored(self._last, record, body, size, sent_at)
        stored.group = group
        self.messages[stored.number] = stored
        self._offers.add(stored)
        heappush(self._expiring, (sent_at + 1_000.0 * self.attributes.message_retention_period, stored.number))
        return stored

    def _admit(self, stored: Stored, now: float, delay_seconds: int) -> None:
        """Make a stored message available, now or after its delay."""
        stored.visible_at = now + 1_000.0 * delay_seconds
        if delay_seconds:
            stored.state = DELAYED
            heappush(self._due, (stored.visible_at, stored.number))
        else:
            self._offers.show(stored, again=False)

    # Receiving.

    def receive_message(
        self,
        now: float,
        *,
        max_number_of_messages: int = 1,
        visibility_timeout: int | None = None,
        wait_time_seconds: int | None = None,
        receive_request_attempt_id: str | None = None,
    ) -> list[Received]:
        """Hand out messages and hide them; none, if none is to be had *now*: who wants to wait asks again after a change.

        A ``wait_time_seconds`` (or the queue's attribute) above 0 is long polling and asks every server, 0 is short polling.
        Messages that were received too often are moved to `dead_lettered` and `leaving` instead. Raises
        InvalidParameterValue, and OverLimit at a standard queue by short polling; in the other cases AWS gives nothing and says
        nothing.
        """
        self._settle(now)
        own = self.attributes
        timeout = own.visibility_timeout if visibility_timeout is None else visibility_timeout
        wait = own.receive_message_wait_time_seconds if wait_time_seconds is None else wait_time_seconds
        check("max_number_of_messages", max_number_of_messages, 1, limits.BATCH_MAX)
        check("visibility_timeout", timeout, 0, limits.VISIBILITY_MAX)
        check("wait_time_seconds", wait, 0, limits.WAIT_MAX)
        self.dead_lettered = []
        if receive_request_attempt_id is not None:
            if not own.fifo_queue:
                raise InvalidParameterValue("receive_request_attempt_id is for FIFO queues only; leave it out.")
            repeated = self._repeat(now, receive_request_attempt_id, timeout)
            if repeated:
                return repeated
        most = min(max_number_of_messages, self._in_flight_max - self.in_flight)
        if most <= 0:
            if own.fifo_queue or wait:
                return []
            raise OverLimit(
                f"{self.in_flight:,} messages are in flight; at most {self._in_flight_max:,} may be: delete what is done."
            )
        found: list[Received] = []
        with closing(self._offers.offer(everywhere=wait > 0)) as offers:  # type: ignore[type-var]
            for stored in offers:
                if own.redrive_policy is not None and stored.received_here >= own.redrive_policy.max_receive_count:
                    self._give_up(stored)
                    continue
                found.append(self._hand_out(stored, now, timeout))
                if len(found) == most:
                    break
        if receive_request_attempt_id is not None and found:
            self._attempts.note(receive_request_attempt_id, tuple(one.receipt_handle for one in found), now)
        return found

    def _hand_out(self, stored: Stored, now: float, timeout: int) -> Received:
        self.in_flight += stored.state != IN_FLIGHT
        self._offers.take(stored)
        stored.state = IN_FLIGHT
        stored.received_at = now
        stored.changed = False
        stored.receive_count += 1
        stored.received_here += 1
        if stored.first_received_at is None:
            stored.first_received_at = now
        self._last_handle = stored.handle = self._last_handle + 1
        stored.handles.append(stored.handle)
        self._handles[stored.handle] = stored.number
        self._hide(stored, now, timeout)
        return told(stored, fifo=self.attributes.fifo_queue)

    def _hide(self, stored: Stored, now: float, timeout: int) -> None:
        stored.visible_at = now + 1_000.0 * timeout
        heappush(self._due, (stored.visible_at, stored.number))

    def _repeat(self, now: float, attempt: str, timeout: int) -> list[Received]:
        """What an earlier receive with this attempt id gave out, hidden anew; nothing, if any of it has changed since."""
        held = [self._of_handle(handle) for handle in self._attempts.get(attempt, now) or ()]
        again = [stored for stored in held if stored is not None and stored.state == IN_FLIGHT and not stored.changed]
        if len(again) < len(held):
            return []
        for stored in again:
            self._hide(stored, now, timeout)
        return [told(stored, fifo=True) for stored in again]

    # What becomes of a received message.

    def delete_message(self, now: float, receipt_handle: int) -> Stored | None:
        """Delete a message by the handle of its last receive; tells which, None if it was not deleted.

        An older handle, or one of a message that is gone, deletes nothing and is no error; at a FIFO queue a handle is an error
        once the message is visible again. Raises ReceiptHandleIsInvalid, InvalidParameterValue.
        """
        self._settle(now)
        stored = self._of_handle(receipt_handle)
        if self.attributes.fifo_queue and self._is_stale(receipt_handle, stored):
            raise InvalidParameterValue(
                f"The receipt handle {receipt_handle} has expired; delete a message before its visibility timeout is over."
            )
        if stored is None:
            return None
        if stored.state == IN_FLIGHT and self._offers.keeps(stored):
            # Deleted, as far as whoever asked can tell; the copy that stays has no handle until it comes again.
            stored.handle = 0
        else:
            self._remove(stored)
        return stored

    def delete_message_batch(self, now: float, entries: Entries) -> dict[str, Stored | SqsError | None]:
        """Delete up to ten messages; what came of each, by its entry's id."""
        check_batch(entries)
        return each(self.delete_message, now, entries)

    def change_message_visibility(self, now: float, receipt_handle: int, visibility_timeout: int) -> Stored:
        """Let a message in flight be visible again so many seconds from now; 0 is at once. Tells which message.

        Raises InvalidParameterValue (also where that would hide it for more than twelve hours since it was received),
        ReceiptHandleIsInvalid, MessageNotInflight.
        """
        self._settle(now)
        check("visibility_timeout", visibility_timeout, 0, limits.VISIBILITY_MAX)
        stored = self._of_handle(receipt_handle)
        if stored is None or stored.state != IN_FLIGHT:
            raise MessageNotInflight(
                f"The message of receipt handle {receipt_handle} is not in flight by that receive any more; "
                "change its visibility before the timeout is over."
            )
        if now + 1_000.0 * visibility_timeout > stored.received_at + 1_000.0 * limits.VISIBILITY_MAX:
            raise InvalidParameterValue(
                f"visibility_timeout is {visibility_timeout}; together with the time since the message was received "
                f"it must be at most {limits.VISIBILITY_MAX:,} seconds."
            )
        stored.changed = True
        stored.visible_at = now + 1_000.0 * visibility_timeout
        if visibility_timeout:
            heappush(self._due, (stored.visible_at, stored.number))
        else:
            self._show(stored)
        return stored

    def change_message_visibility_batch(self, now: float, entries: Entries) -> dict[str, Stored | SqsError]:
        """Change the visibility of up to ten messages; what came of each, by its entry's id."""
        check_batch(entries)
        return each(self.change_message_visibility, now, entries)

    def purge_queue(self, now: float) -> int:
        """Delete everything; tells how much that was. Raises PurgeQueueInProgress within 60 seconds of another purge."""
        self._settle(now)
        if self._purged_at is not None and now - self._purged_at < _PURGE_INTERVAL:
            raise PurgeQueueInProgress("The queue was purged less than 60 seconds ago; wait until they are over.")
        self._purged_at = now
        everything = list(self.messages.values())
        for stored in everything:
            self._remove(stored)
        return len(everything)

    def _of_handle(self, handle: int) -> Stored | None:
        """The message whose last receive this handle is of; None if it is an older one's, or the message is gone."""
        if not is_whole(handle, 1, self._last_handle):
            raise ReceiptHandleIsInvalid(f"This queue gave out no receipt handle {handle!r}; use one that a receive told.")
        stored = self.messages.get(self._handles.get(handle, 0))
        return stored if stored is not None and stored.handle == handle else None

    def _is_stale(self, handle: int, stored: Stored | None) -> bool:
        return handle in self._handles and (stored is None or stored.state != IN_FLIGHT)

    # From queue to queue.

    def _give_up(self, stored: Stored) -> None:
        self.dead_lettered.append(stored)
        self._let_go(stored, redriven=False)

    def _let_go(self, stored: Stored, *, redriven: bool) -> Letter:
        self._remove(stored)
        letter = self.leaving[stored.number] = letter_of(stored, self.name, redriven=redriven)
        return letter

    def accept(self, now: float, letter: Letter) -> Stored | None:
        """Store what another queue moved here; None if it came before (the two queues make sure that it comes, so it may repeat).

        Into a dead-letter queue it comes with its receive count and, in a standard queue, its age; in a FIFO queue its age begins
        anew. By a message move task it comes as a new message. Its deduplication id plays no part: two messages that share one
        are both kept.
        """
        self._settle(now)
        if (letter.origin, letter.number) in self._arrived:
            return None
        self._arrived.add((letter.origin, letter.number))
        fresh = letter.redriven or self.attributes.fifo_queue
        stored = self._store(letter.record, letter.body, letter.size, now if fresh else letter.sent_at, letter.group)
        if not letter.redriven:
            stored.receive_count = letter.receive_count
            stored.origin = letter.origin
        self._admit(stored, now, 0)
        return stored

    def arrived(self, number: int) -> None:
        """The other queue has what left here under this message id."""
        self.leaving.pop(number, None)

    def let_oldest_go(self, now: float, destination: str | None = None) -> Letter | None:
        """Take the oldest available message out, for a message move task to this queue (None: to where it came from); None if
        there is none."""
        self._settle(now)
        for stored in self.messages.values():
            if stored.state == AVAILABLE:
                stored.origin = destination or stored.origin
                return self._let_go(stored, redriven=True)
        return None

    def _settle(self, now: float) -> None:
        """Let time pass before an operation; what it did stays to be told by `advance`."""
        self._changes = self.advance(now)
