"""One queue: which message is next, whose turn it is, and what has to go. No clock but the one passed in, no network.

A classic and a quorum queue differ in what comes back. In the former a message returns to where it stood. In the latter each
return is counted, and the message goes to the front if a client went away with it or the queue has a delivery limit, and else
to the back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from simulator.brokers.queue.messages import PERSISTENT, Envelope, Item
from simulator.brokers.queue.settings import QUORUM, Settings

_PRIORITY = 1 << 22
"""What one level of priority is worth in places: more messages than a queue will ever see."""

_FREE_AGAIN = 0.8
"""The share of its limit at which a quorum queue that refused messages takes them again."""

_FRONT = -(1 << 30)
"""Where the places of what came back to a quorum queue begin."""


class Window:
    """How many messages all consumers of a channel may hold together: its global prefetch count."""

    __slots__ = ("_held", "most")

    def __init__(self) -> None:
        self.most = 0
        """0: any number, and none is counted."""
        self._held = 0

    @property
    def is_open(self) -> bool:
        """Whether one more may be handed out."""
        return not self.most or self._held < self.most

    def limit(self, most: int, unsettled: int) -> None:
        """Set the limit. It begins with all that the channel holds ``unsettled``, what it asked for by ``basic.get`` too."""
        if not most:
            self._held = 0
        elif not self.most:
            self._held = unsettled
        self.most = most

    def took(self) -> None:
        """A consumer was handed a message."""
        if self.most:
            self._held += 1

    def settled(self, count: int) -> None:
        """Consumers settled so many messages."""
        self._held = max(0, self._held - count)


class Subscription:
    """A consumer of a queue, as the broker knows it."""

    __slots__ = ("auto_ack", "channel", "exclusive", "held", "prefetch_count", "queue", "tag", "window")

    def __init__(
        self,
        queue: str,
        channel: int,
        tag: str,
        window: Window,
        *,
        prefetch_count: int = 0,
        auto_ack: bool = False,
        exclusive: bool = False,
    ) -> None:
        self.queue = queue
        self.channel = channel
        self.tag = tag
        self.window = window
        """It shares that with the other consumers of its channel."""
        self.prefetch_count = prefetch_count
        """How many messages it may hold unacknowledged; 0: any number."""
        self.auto_ack = auto_ack
        self.exclusive = exclusive
        self.held = 0

    @property
    def has_room(self) -> bool:
        """Whether it may be handed one more message. A full window holds back even what would need no acknowledgement."""
        return self.window.is_open and (self.auto_ack or not self.prefetch_count or self.held < self.prefetch_count)

    def took(self) -> None:
        """A message went to it."""
        if not self.auto_ack:
            self.held += 1
            self.window.took()


class Queue:
    """Messages that are ready, messages that are unacknowledged, and the consumers who compete for them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings.name
        self.ready: deque[Item] = deque()
        """In the order in which they will be handed out."""
        self.unacked: dict[int, Item] = {}
        """Handed out and not yet settled, by number."""
        self.consumers: list[Subscription] = []
        """In the order in which they came. Of a single active consumer's queue, the first one is the active one."""
        self.look_at: float | None = None
        """When the message at the head expires, as far as the queue has noticed it."""
        self.unused_since: float | None = None
        self.had_consumers = False
        self._turns: deque[Subscription] = deque()
        """Whose turn it is. A classic queue finds out that a consumer is full when its turn comes, a quorum queue at once."""
        self._full: list[Subscription] = []
        """Who has lost its turn by that, in this order."""
        self._numbers = 0
        self._returns = 0
        self._bytes = 0
        self._refused: dict[int, bool] = {}
        """Of a quorum queue: the channels that have published to it, and whether it refuses what they publish."""

    @property
    def is_quorum(self) -> bool:
        """Whether it is a quorum queue; else it is a classic one."""
        return self.settings.type == QUORUM

    def put(self, message: Envelope, now: float) -> Item:
        """Take in a message."""
        self._numbers += 1
        priority = min(message.content.priority or 0, self.settings.max_priority)
        item = Item(self._numbers, self._numbers - priority * _PRIORITY, message, self._expiry(message, now))
        self._insert(item)
        return item

    def _expiry(self, message: Envelope, now: float) -> float | None:
        own = message.content.expiration
        lives = [ttl for ttl in (self.settings.message_ttl, None if own is None else int(own)) if ttl is not None]
        return now + min(lives) if lives else None

    def _insert(self, item: Item) -> None:
        ready = self.ready
        self._bytes += item.envelope.content.size
        if not ready or ready[-1].place < item.place:
            ready.append(item)
        else:
            # What comes back mostly belongs near the front.
            ready.insert(next(index for index, other in enumerate(ready) if other.place > item.place), item)
        if self._refused:
            self._weigh()

    def pop(self) -> Item:
        """Take the first ready message out."""
        item = self.ready.popleft()
        self._bytes -= item.envelope.content.size
        if self._refused:
            self._weigh()
        return item

    def refuses(self, message: Envelope, publisher: int | None) -> bool:
        """Whether a queue that does not drop its oldest messages refuses this one, of this channel (None: a dead letter).

        A classic queue refuses what would be one too many. A quorum queue refuses its publishers as soon as it holds one more
        than it may, each until a fifth of its length is free; it takes every dead letter.
        """
        if self.settings.overflow == "drop-head":
            return False
        if not self.is_quorum:
            return self._over(len(self.ready) + 1, self._bytes + message.content.size)
        if publisher is None:
            return False
        return self._refused.setdefault(publisher, self.is_over)

    def _weigh(self) -> None:
        """Its length has changed: see whom it refuses from now on."""
        if self.is_over:
            self._refused = dict.fromkeys(self._refused, True)
        elif not self._over(len(self.ready), self._bytes, _FREE_AGAIN):
            self._refused = dict.fromkeys(self._refused, False)

    @property
    def is_over(self) -> bool:
        """Whether more is ready than may be."""
        return self._over(len(self.ready), self._bytes)

    def _over(self, length: int, size: int, share: float = 1.0) -> bool:
        most, most_bytes = self.settings.max_length, self.settings.max_length_bytes
        return most is not None and length > most * share or most_bytes is not None and size > most_bytes * share

    def expired(self, now: float, fresh: Item | None = None) -> Iterator[Item]:
        """Take out what has expired, as far as it stands at the head: behind a message that lives on, the dead one stays. The
        ``fresh`` one has only just come, and nobody has had the chance to take it."""
        while self.ready and self.ready[0] is not fresh:
            expiry = self.ready[0].expiry
            if expiry is None or expiry > now:
                return
            yield self.pop()

    def hold(self, item: Item) -> None:
        """Note that a message is with somebody who is to settle it."""
        item.delivered = True
        self.unacked[item.number] = item

    def give_back(self, item: Item, *, to_front: bool) -> bool:
        """A message that was handed out is ready again; false if that was once too often, and it is gone. ``to_front``: a
        quorum queue takes it before all that was not handed out yet, whatever its settings."""
        del self.unacked[item.number]
        if self.is_quorum:
            item.delivery_count += 1
            limit = self.settings.delivery_limit
            if limit is not None and item.delivery_count > limit:
                return False
            if to_front or limit is not None:
                self._returns += 1
                item.place = _FRONT + self._returns
            else:
                self._numbers += 1
                item.number = item.place = self._numbers
        self._insert(item)
        return True

    def subscribe(self, consumer: Subscription) -> None:
        """Add a consumer; its turn comes after all others'."""
        self.consumers.append(consumer)
        self._turns.append(consumer)
        self.had_consumers = True

    def unsubscribe(self, consumer: Subscription) -> None:
        """Take a consumer away."""
        for known in (self.consumers, self._turns, self._full):
            if consumer in known:
                known.remove(consumer)

    def relieved(self, channel: int) -> None:
        """Something was settled on a channel: its consumers that have room again queue up for a turn."""
        for consumer in [each for each in self._full if each.channel == channel and each.has_room]:
            self._full.remove(consumer)
            self._turns.append(consumer)

    def next_consumer(self) -> Subscription | None:
        """Who gets the next message; None if nobody can take one. Its turn is over with that."""
        if self.settings.single_active_consumer:
            return next((each for each in self.consumers[:1] if each.has_room), None)
        turns = self._turns
        while turns:
            consumer = turns.popleft()
            if consumer.has_room:
                turns.append(consumer)
                return consumer
            self._full.append(consumer)
        return None

    def handed(self, consumer: Subscription) -> None:
        """A message went to this consumer."""
        consumer.took()
        if self.is_quorum and not consumer.has_room and consumer in self._turns:
            self._turns.remove(consumer)
            self._full.append(consumer)

    def restart(self) -> list[Item]:
        """Go on with what is on disk: in a classic queue the persistent messages, in a quorum queue all. What was held still is,
        by nobody. Tells what is gone."""
        gone = [item for item in (*self.ready, *self.unacked.values()) if not self._on_disk(item)]
        ready = [item for item in self.ready if self._on_disk(item)]
        self.unacked = {number: item for number, item in self.unacked.items() if self._on_disk(item)}
        self.ready, self._bytes = deque(), 0
        for item in ready:
            self._insert(item)
        self.consumers, self._turns, self._full, self._refused = [], deque(), [], {}
        return gone

    def _on_disk(self, item: Item) -> bool:
        return self.is_quorum or item.envelope.content.delivery_mode == PERSISTENT
