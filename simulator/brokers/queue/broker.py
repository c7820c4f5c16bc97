"""A broker like RabbitMQ, without network and time: what its channels ask of it happens at once, at the time it was told.

``broker.advance(now)`` tells the time; ``broker.channel("shop")`` opens a channel, whose operations have AMQP's names;
``broker.take_effects()`` gives what came of them, in order. `Broker.next_deadline` says when something happens by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from simulator.brokers.queue.channel import CHANNEL_CLOSED, Channel
from simulator.brokers.queue.dead_letters import dead_letter, without_cycles
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.exchanges import Exchanges
from simulator.brokers.queue.messages import (
    Cancel,
    DeadLettered,
    Deliver,
    Dequeued,
    Effect,
    Enqueued,
    Envelope,
    HandedOut,
    Item,
    QueueGone,
    QueueMade,
    Requeued,
)  # fmt: skip
from simulator.brokers.queue.queue import Queue
from simulator.brokers.queue.settings import Settings
from simulator.validation import did_you_mean

BROKER_RESTARTED, CONNECTION_CLOSED = "broker restarted", "its connection closed"


class Broker:
    """Exchanges, queues and channels of one node."""

    def __init__(self) -> None:
        self.now = 0.0
        self.exchanges = Exchanges()
        self.queues: dict[str, Queue] = {}
        self.channels: dict[int, Channel] = {}
        self._channel_numbers = 0
        self._names = 0
        self._effects: list[Effect] = []
        self._dead: deque[tuple[Queue, str, Envelope]] = deque()
        """Dead letters on their way from a queue to its dead-letter exchange."""
        self._burying = False

    def channel(self, connection: str = "connection") -> Channel:
        """Open a channel on a connection; the connection is there with its first channel."""
        self._channel_numbers += 1
        opened = self.channels[self._channel_numbers] = Channel(self, self._channel_numbers, connection)
        return opened

    def take_effects(self) -> list[Effect]:
        """What came of all operations since this was last asked, in order."""
        effects, self._effects = self._effects, []
        return effects

    def tell(self, effect: Effect) -> None:
        """Note something that came of an operation."""
        self._effects.append(effect)

    def new_name(self) -> str:
        """A queue name of the broker's making."""
        self._names += 1
        return f"amq.gen-{self._names}"

    def queue(self, name: str, connection: str | None = None) -> Queue:
        """The queue of this name. Raises NOT_FOUND, and RESOURCE_LOCKED if it is another connection's alone."""
        found = self.queues.get(name)
        if found is None:
            raise AmqpError("NOT_FOUND", f'there is no queue "{name}"; {did_you_mean(name, self.queues)}')
        owner = found.settings.owner
        if owner is not None and connection is not None and owner != connection:
            raise AmqpError(
                "RESOURCE_LOCKED",
                f'queue "{name}" is exclusive to the connection "{owner}"; use it there, or declare another.',
            )
        return found

    def declare_queue(self, wanted: Settings, connection: str, *, named: bool) -> Queue:
        """Make a queue, unless it is there with the same settings; ``named`` by whoever declares it, and not by the broker.

        Raises RESOURCE_LOCKED, PRECONDITION_FAILED or ACCESS_REFUSED.
        """
        name = wanted.name
        if name not in self.queues:
            if named and name.startswith("amq."):
                raise AmqpError("ACCESS_REFUSED", f'queue "{name}": names that begin with "amq." are the broker\'s own.')
            made = self.queues[name] = Queue(wanted)
            self.tell(QueueMade(name))
            return made
        found = self.queue(name, connection)
        known = found.settings
        if known.owner != wanted.owner:
            raise AmqpError(
                "RESOURCE_LOCKED",
                f'queue "{name}" exists, and is {"" if known.owner else "not "}exclusive; '
                f"declare it as it is, or delete it first.",
            )
        if known != wanted:
            raise AmqpError(
                "PRECONDITION_FAILED",
                f'queue "{name}" exists with other settings, {known}; declare it with these, or delete it first.',
            )
        return found

    # What happens with time.

    def next_deadline(self) -> float | None:
        """When the next message or queue expires, in ms; None: nothing happens by itself."""
        return min((at for queue in self.queues.values() if (at := _deadline(queue)) is not None), default=None)

    def advance(self, now: float) -> None:
        """It is now this late: what has expired until then goes, in the order of its time."""
        while (due := self.next_deadline()) is not None and due <= now:
            self.now = max(self.now, due)
            for queue in list(self.queues.values()):
                if queue.name in self.queues:
                    unused_from = _unused_until(queue)
                    if unused_from is not None and unused_from <= self.now:
                        self.delete_queue(queue, "nobody used it")
                    else:
                        self.run(queue)
        self.now = max(self.now, now)

    # What happens to messages.

    def publish(self, queues: Iterable[str], message: Envelope, publisher: int | None = None) -> bool:
        """Put a message of a channel (None: a dead letter) into these queues; false if one of them refuses it."""
        accepted = True
        for name in queues:
            if name in self.queues:
                accepted = self._enqueue(self.queues[name], message, publisher) and accepted
        return accepted

    def _enqueue(self, queue: Queue, message: Envelope, publisher: int | None) -> bool:
        if queue.refuses(message, publisher):
            if queue.settings.overflow == "reject-publish-dlx":
                self._die(queue, "maxlen", message)
                self._bury()
            return False
        item = queue.put(message, self.now)
        self.tell(Enqueued(queue.name, item.place, message))
        # A message goes straight on to a consumer that waits for it: then it neither expires nor is one too many.
        self._dispatch(queue, item)
        dropped = self._drop_head(queue)
        # A message that overtakes others by its priority comes to the head unnoticed: if it expires, that shows only when the
        # queue next has a reason to look.
        if queue.is_quorum or dropped or len(queue.ready) == 1:
            self.run(queue)
        self._bury()
        return True

    def run(self, queue: Queue, *, look: bool = True) -> None:
        """Whatever a queue can do now: let what is expired go, hand out what is ready, drop what is too much.

        A classic queue does not ``look`` for expired messages at every occasion.
        """
        if look or queue.is_quorum:
            self._expire(queue)
        self._dispatch(queue)
        self._drop_head(queue)
        if queue.is_quorum:
            queue.look_at = queue.ready[0].expiry if queue.ready else None
        self._bury()

    def _expire(self, queue: Queue, fresh: Item | None = None) -> None:
        for item in queue.expired(self.now, fresh):
            self._drop(queue, item, "expired")
        queue.look_at = queue.ready[0].expiry if queue.ready else None

    def fetch(self, queue: Queue) -> Item:
        """Take the first ready message out of a queue, which looks at what comes to the head then."""
        item = queue.pop()
        if not queue.is_quorum:
            self._expire(queue)
        return item

    def _drop_head(self, queue: Queue) -> bool:
        dropped = False
        # A queue that refuses what is too much can still get too long, by what comes back.
        while queue.settings.overflow == "drop-head" and queue.is_over:
            self._drop(queue, queue.pop(), "maxlen")
            dropped = True
        return dropped

    def _dispatch(self, queue: Queue, fresh: Item | None = None) -> None:
        while True:
            if queue.is_quorum:
                self._expire(queue, fresh)
            consumer = queue.next_consumer() if queue.ready else None
            if consumer is None:
                return
            item = self.fetch(queue)
            queue.handed(consumer)
            redelivered = item.delivered
            self.tell(HandedOut(queue.name, item.place, consumer.channel, consumer.auto_ack, item.envelope))
            tag = self.channels[consumer.channel].take(queue, item, consumer, auto_ack=consumer.auto_ack)
            self.tell(
                Deliver(
                    consumer.channel,
                    consumer.tag,
                    tag,
                    redelivered,
                    queue.name,
                    item.as_delivered(counted=item.delivery_count > 0),
                )
            )

    def give_back(self, queue: Queue, items: list[Item], reason: str) -> None:
        """Let what a channel held be ready again."""
        for item in items:
            if item.number not in queue.unacked:
                continue
            was = item.place
            if queue.give_back(item, to_front=reason in (CHANNEL_CLOSED, BROKER_RESTARTED)):
                self.tell(Requeued(queue.name, was, item.place, reason, item.envelope))
            else:
                self._drop(queue, item, "delivery_limit")
        # Before anyone can take it, what came back may be too much for a classic queue.
        if not queue.is_quorum:
            self._drop_head(queue)
        self.run(queue)

    def settle(self, queue: Queue, item: Item, reason: str) -> None:
        """What a channel held is done with: ``acked``, or ``rejected``."""
        if queue.unacked.pop(item.number, None) is None:
            return
        if reason == "acked":
            self.tell(Dequeued(queue.name, item.place, reason, item.envelope))
        else:
            self._drop(queue, item, reason)

    def _drop(self, queue: Queue, item: Item, reason: str) -> None:
        self.tell(Dequeued(queue.name, item.place, reason, item.envelope))
        self._die(queue, reason, item.envelope)

    def _die(self, queue: Queue, reason: str, message: Envelope) -> None:
        if queue.settings.dead_letter_exchange is not None:
            self._dead.append((queue, reason, message))

    def _bury(self) -> None:
        """Publish the dead letters, and those that come of it, one after the other."""
        if self._burying:
            return
        self._burying = True
        try:
            while self._dead:
                queue, reason, message = self._dead.popleft()
                letter = dead_letter(message, reason, queue.settings, self.now)
                routed: tuple[str, ...] = ()
                if letter.exchange == "" or letter.exchange in self.exchanges:
                    routed = self.route(letter)
                queues = without_cycles(letter, reason, routed)
                self.tell(DeadLettered(queue.name, reason, letter.exchange, queues, letter))
                self.publish(queues, letter)
        finally:
            self._burying = False

    def route(self, message: Envelope) -> tuple[str, ...]:
        """The queues that are to get a message."""
        return self.exchanges.route(message.exchange, message.routing_key, message.content.headers, self.queues)

    # What happens to queues and to the broker.

    def delete_queue(self, queue: Queue, reason: str) -> None:
        """Take a queue away with all that is in it, its bindings, and its consumers, who are told."""
        del self.queues[queue.name]
        self._lose_all(queue)
        self.tell(QueueGone(queue.name, reason))
        for consumer in queue.consumers:
            self.channels[consumer.channel].consumers.pop(consumer.tag, None)
            self.tell(Cancel(consumer.channel, consumer.tag, queue.name))
        self.exchanges.forget(("queue", queue.name))

    def _lose_all(self, queue: Queue) -> None:
        for item in sorted((*queue.ready, *queue.unacked.values()), key=lambda each: each.place):
            self.tell(Dequeued(queue.name, item.place, "queue deleted", item.envelope))
        queue.ready.clear()
        # Whoever still holds a message of it has nothing to settle any more.
        queue.unacked.clear()

    def delete_if_left(self, queue: Queue) -> None:
        """Note that a consumer has left; the last one takes an auto-delete queue with it."""
        if queue.consumers or queue.name not in self.queues:
            return
        queue.unused_since = self.now
        if queue.settings.auto_delete:
            self.delete_queue(queue, "its last consumer left")

    def close_connection(self, connection: str) -> None:
        """Close all channels of a connection, and delete the queues that were its alone."""
        for channel in [each for each in self.channels.values() if each.connection == connection]:
            channel.close()
        for queue in [each for each in self.queues.values() if each.settings.owner == connection]:
            self.delete_queue(queue, CONNECTION_CLOSED)

    def restart(self) -> None:
        """Stop and start again: what is left is what was durable, and in durable classic queues what was persistent. All
        connections are gone, and nobody is told."""
        for channel in self.channels.values():
            channel.forget()
        self.channels = {}
        left: dict[str, Queue] = {}
        for name, queue in self.queues.items():
            if queue.settings.durable and queue.settings.owner is None:
                left[name] = queue
                for item in queue.restart():
                    self.tell(Dequeued(name, item.place, "not persistent", item.envelope))
                queue.unused_since = self.now
            else:
                self._lose_all(queue)
                self.tell(QueueGone(name, BROKER_RESTARTED))
        self.queues = left
        self.exchanges.restart(left)
        for queue in left.values():
            held = sorted(queue.unacked.values(), key=lambda each: each.number)
            self.give_back(queue, held, BROKER_RESTARTED)


def _deadline(queue: Queue) -> float | None:
    return min((at for at in (queue.look_at, _unused_until(queue)) if at is not None), default=None)


def _unused_until(queue: Queue) -> float | None:
    expires = queue.settings.expires
    if expires is None or queue.consumers or queue.unused_since is None:
        return None
    return queue.unused_since + expires
