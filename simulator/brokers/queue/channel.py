"""A channel: what a client asks of the broker, under AMQP's names, and what it holds unacknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.exchanges import DEFAULT, Binding, Exchange
from simulator.brokers.queue.held import Held, lots
from simulator.brokers.queue.messages import (
    BindingMade,
    Confirm,
    Content,
    DeclareOk,
    Dequeued,
    Envelope,
    GetOk,
    HandedOut,
    Item,
    Return,
    Routed,
)  # fmt: skip
from simulator.brokers.queue.queue import Queue, Subscription, Window
from simulator.brokers.queue.settings import LONGEST, Settings

if TYPE_CHECKING:
    from simulator.brokers.queue.broker import Broker

CHANNEL_CLOSED = "channel closed"
"""Why a message came back: nobody gave it back, its channel is gone."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _operation(method: Callable[Concatenate[Channel, _P], _R]) -> Callable[Concatenate[Channel, _P], _R]:
    """An operation that the broker refuses closes the channel, or its whole connection, before it raises."""

    @wraps(method)
    def asked(channel: Channel, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not channel.is_open:
            raise AmqpError("CHANNEL_ERROR", "this channel is closed; open another.")
        try:
            return method(channel, *args, **kwargs)
        except AmqpError as error:
            if error.closes_connection:
                channel._broker.close_connection(channel.connection)
            else:
                channel.close()
            raise

    return asked


class Channel:
    """One channel of a connection. Every operation raises AmqpError for what the real broker refuses."""

    def __init__(self, broker: Broker, number: int, connection: str) -> None:
        self.number = number
        self.connection = connection
        self.is_open = True
        self.consumers: dict[str, Subscription] = {}
        self._broker = broker
        self._held: dict[int, Held] = {}
        self._delivery_tags = 0
        self._consumer_tags = 0
        self._prefetch_count = 0
        self._window = Window()
        self._published: int | None = None
        """How many publishings it has numbered; None where none is confirmed."""

    @property
    def unsettled(self) -> tuple[int, ...]:
        """The delivery tags of what it holds unacknowledged, in order."""
        return tuple(self._held)

    @property
    def delivery_tag(self) -> int:
        """The tag of what it was handed last; 0 if that was nothing yet."""
        return self._delivery_tags

    # Exchanges and queues.

    @_operation
    def exchange_declare(
        self,
        exchange: str,
        exchange_type: str = "direct",
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Make an exchange, unless it is there with the same settings; ``passive`` only asks whether there is one."""
        exchanges = self._broker.exchanges
        if exchange == DEFAULT:
            raise AmqpError("ACCESS_REFUSED", "the default exchange is there already; give yours a name.")
        if passive:
            exchanges.known(exchange)
            return
        alternate = (arguments or {}).get("alternate-exchange")
        if alternate is not None and not isinstance(alternate, str):
            raise AmqpError(
                "PRECONDITION_FAILED",
                f'exchange "{exchange}": alternate-exchange is {alternate!r}; it must be the name of an exchange.',
            )
        wanted = Exchange(
            exchange, exchange_type, durable=durable, auto_delete=auto_delete, internal=internal, alternate=alternate
        )
        exchanges.declare(wanted)

    @_operation
    def exchange_delete(self, exchange: str, *, if_unused: bool = False) -> None:
        """Take an exchange away."""
        self._broker.exchanges.delete(exchange, if_unused=if_unused)

    @_operation
    def exchange_bind(
        self, destination: str, source: str, routing_key: str = "", arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Bind an exchange to another one, the source."""
        self._bind(Binding(source, ("exchange", destination), routing_key, arguments or {}))

    @_operation
    def exchange_unbind(
        self, destination: str, source: str, routing_key: str = "", arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Take such a binding away."""
        self._broker.exchanges.unbind(Binding(source, ("exchange", destination), routing_key, arguments or {}))

    @_operation
    def queue_declare(
        self,
        queue: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> DeclareOk:
        """Make a queue, unless it is there with the same settings; ``passive`` only asks for it. Without a name it gets one."""
        broker = self._broker
        if passive:
            found = broker.queue(queue, self.connection)
        else:
            owner = self.connection if exclusive else None
            wanted = Settings.of(
                queue or broker.new_name(), durable=durable, auto_delete=auto_delete, owner=owner, arguments=arguments
            )
            found = broker.declare_queue(wanted, self.connection, named=bool(queue))
        found.unused_since = broker.now
        return DeclareOk(found.name, len(found.ready), len(found.consumers))

    @_operation
    def queue_bind(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Bind a queue to an exchange."""
        binding = Binding(exchange, ("queue", queue), routing_key, arguments or {})
        self._broker.exchanges.check(binding)
        self._broker.queue(queue, self.connection)
        self._bind(binding)

    def _bind(self, binding: Binding) -> None:
        known = self._broker.exchanges.holds(binding)
        self._broker.exchanges.bind(binding)
        if not known:
            self._broker.tell(BindingMade(binding.source, binding.destination[1], binding.routing_key))

    @_operation
    def queue_unbind(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Take such a binding away."""
        binding = Binding(exchange, ("queue", queue), routing_key, arguments or {})
        if self._broker.exchanges.holds(binding):
            # Only then is it asked whose queue that is.
            self._broker.queue(queue, self.connection)
        self._broker.exchanges.unbind(binding)

    @_operation
    def queue_purge(self, queue: str) -> int:
        """Throw away what is ready, and tell how many."""
        broker = self._broker
        purged = broker.queue(queue, self.connection)
        count = len(purged.ready)
        for _ in range(count):
            item = purged.pop()
            broker.tell(Dequeued(queue, item.place, "purged", item.envelope))
        return count

    @_operation
    def queue_delete(self, queue: str, *, if_unused: bool = False, if_empty: bool = False) -> int:
        """Take a queue away, and tell how many messages were ready in it; none of that name is no error."""
        broker = self._broker
        if queue not in broker.queues:
            return 0
        deleted = broker.queue(queue, self.connection)
        if if_unused and deleted.consumers:
            raise AmqpError("PRECONDITION_FAILED", f'queue "{queue}" has consumers; cancel them, or leave if_unused out.')
        if if_empty and deleted.ready:
            raise AmqpError("PRECONDITION_FAILED", f'queue "{queue}" is not empty; purge it, or leave if_empty out.')
        count = len(deleted.ready)
        broker.delete_queue(deleted, "deleted")
        return count

    # Publishing.

    @_operation
    def confirm_select(self) -> None:
        """From now on the broker confirms each publishing on this channel, or refuses it (publisher confirms)."""
        if self._published is None:
            self._published = 0

    @_operation
    def basic_publish(self, exchange: str, routing_key: str, content: Content, *, mandatory: bool = False) -> int | None:
        """Hand a message to an exchange. Tells its number where publishings are confirmed.

        One that no queue gets is dropped, or returned where it is ``mandatory``; it is confirmed all the same.
        """
        broker = self._broker
        if exchange != DEFAULT and broker.exchanges.known(exchange).internal:
            raise AmqpError("ACCESS_REFUSED", f'exchange "{exchange}" is internal; publish to one that is bound to it.')
        own = content.expiration
        if own is not None and not (own.isascii() and own.isdigit() and int(own) <= LONGEST):
            raise AmqpError(
                "PRECONDITION_FAILED",
                f'expiration is {own!r}; it must be a number of ms up to {LONGEST} as text, like "500".',
            )
        if self._published is not None:
            self._published += 1
        message = Envelope(exchange, routing_key, content)
        queues = broker.route(message)
        broker.tell(Routed(queues, message))
        if mandatory and not queues:
            broker.tell(Return(self.number, message))
        number = self._published
        accepted = broker.publish(queues, message, self.number)
        if number is not None:
            broker.tell(Confirm(self.number, number, accepted))
        return number

    # Consuming.

    @_operation
    def basic_qos(self, prefetch_count: int = 0, *, global_qos: bool = False) -> None:
        """How many messages each consumer that is started on this channel from now on may hold; 0: any number. With
        ``global_qos``, how many all consumers of this channel may hold together. The former ends the latter: ask for it last."""
        if not global_qos:
            self._prefetch_count = prefetch_count
        self._window.limit(prefetch_count if global_qos else 0, len(self._held))
        for queue in self._queues_relieved():
            self._broker.run(queue, look=False)

    @_operation
    def basic_consume(self, queue: str, *, consumer_tag: str = "", auto_ack: bool = False, exclusive: bool = False) -> str:
        """Start a consumer of a queue, and tell its tag."""
        broker = self._broker
        consumed = broker.queue(queue, self.connection)
        if not consumer_tag:
            self._consumer_tags += 1
            consumer_tag = f"amq.ctag-{self.number}.{self._consumer_tags}"
        if consumer_tag in self.consumers:
            raise AmqpError("NOT_ALLOWED", f'this channel has a consumer "{consumer_tag}" already; choose another tag.')
        self._check_exclusive(consumed, exclusive)
        if consumed.is_quorum and self._window.most:
            raise AmqpError(
                "NOT_IMPLEMENTED",
                f'queue "{queue}" is a quorum queue, which knows no global prefetch count; leave global_qos out.',
            )
        consumer = Subscription(
            queue,
            self.number,
            consumer_tag,
            self._window,
            prefetch_count=self._prefetch_count,
            auto_ack=auto_ack,
            exclusive=exclusive,
        )
        self.consumers[consumer_tag] = consumer
        consumed.subscribe(consumer)
        broker.run(consumed, look=False)
        return consumer_tag

    def _check_exclusive(self, queue: Queue, exclusive: bool) -> None:
        if exclusive and queue.consumers or any(each.exclusive for each in queue.consumers):
            raise AmqpError(
                "ACCESS_REFUSED", f'queue "{queue.name}" is in exclusive use, or would be; cancel the other consumer.'
            )

    @_operation
    def basic_cancel(self, consumer_tag: str) -> None:
        """End a consumer. What it holds stays with the channel."""
        consumer = self.consumers.pop(consumer_tag, None)
        if consumer is not None:
            self._unsubscribe(consumer)

    def _unsubscribe(self, consumer: Subscription) -> None:
        queue = self._broker.queues.get(consumer.queue)
        if queue is not None and consumer in queue.consumers:
            queue.unsubscribe(consumer)
            self._broker.delete_if_left(queue)
            if queue.name in self._broker.queues:
                self._broker.run(queue, look=False)

    @_operation
    def basic_get(self, queue: str, *, auto_ack: bool = False) -> GetOk | None:
        """The next message of a queue; None if none is ready."""
        broker = self._broker
        asked = broker.queue(queue, self.connection)
        if asked.is_quorum and asked.settings.single_active_consumer:
            raise AmqpError(
                "RESOURCE_LOCKED", f'queue "{queue}" has a single active consumer, which basic.get would bypass.'
            )
        asked.unused_since = broker.now
        broker.run(asked, look=False)
        if not asked.ready:
            return None
        item = broker.fetch(asked)
        redelivered = item.delivered
        broker.tell(HandedOut(queue, item.place, self.number, auto_ack, item.envelope))
        tag = self.take(asked, item, None, auto_ack=auto_ack)
        if asked.is_quorum and auto_ack:
            # To a quorum queue that is a delivery and its acknowledgement, and with each acknowledgement it looks at its head.
            broker.run(asked)
        answer = GetOk(tag, redelivered, item.as_delivered(counted=asked.is_quorum), len(asked.ready))
        broker.run(asked, look=False)
        return answer

    def take(self, queue: Queue, item: Item, consumer: Subscription | None, *, auto_ack: bool) -> int:
        """A message was handed to this channel: note it, unless nobody will settle it, and tell its delivery tag."""
        self._delivery_tags += 1
        if not auto_ack:
            queue.hold(item)
            self._held[self._delivery_tags] = Held(self._delivery_tags, queue, item, consumer)
        return self._delivery_tags

    @_operation
    def basic_ack(self, delivery_tag: int = 0, *, multiple: bool = False) -> None:
        """Settle a message, with ``multiple`` all up to it (0: all): their queues forget them."""
        self._settle(self._taken(delivery_tag, multiple), "acked")

    @_operation
    def basic_nack(self, delivery_tag: int = 0, *, multiple: bool = False, requeue: bool = True) -> None:
        """Give messages back to their queues, or (``requeue=False``) up as dead letters."""
        taken = self._taken(delivery_tag, multiple)
        if requeue:
            self._give_back(taken, "nack")
        else:
            self._settle(taken, "rejected")

    @_operation
    def basic_reject(self, delivery_tag: int, *, requeue: bool = True) -> None:
        """The same for one message."""
        taken = self._taken(delivery_tag, multiple=False)
        if requeue:
            self._give_back(taken, "nack")
        else:
            self._settle(taken, "rejected")

    @_operation
    def basic_recover(self) -> None:
        """Give all that the channel holds back to the queues."""
        self._give_back(self._taken(0, multiple=True), "recover")

    def _taken(self, delivery_tag: int, multiple: bool) -> list[Held]:
        held = self._held
        if multiple and delivery_tag == 0:
            tags = list(held)
        elif delivery_tag not in held:
            raise AmqpError(
                "PRECONDITION_FAILED",
                f"unknown delivery tag {delivery_tag}; settle each delivery once, on its own channel.",
            )
        else:
            tags = [tag for tag in held if tag <= delivery_tag] if multiple else [delivery_tag]
        return [held.pop(tag) for tag in tags]

    def _settle(self, taken: list[Held], reason: str) -> None:
        def settle(queue: Queue, items: list[Item]) -> None:
            for item in items:
                self._broker.settle(queue, item, reason)
            self._broker.run(queue, look=False)

        self._by_lots(taken, settle)

    def _give_back(self, taken: list[Held], reason: str) -> None:
        self._by_lots(taken, lambda queue, items: self._broker.give_back(queue, items, reason))

    def _by_lots(self, taken: list[Held], act: Callable[[Queue, list[Item]], object]) -> None:
        """Do this with what was taken, lot by lot. Each lot's consumer has room again at once; what all consumers of the
        channel may hold together is looked at in the end."""
        was_open = self._window.is_open
        for held in lots(taken):
            queue, consumer = held[0].queue, held[0].consumer
            if consumer is not None:
                consumer.held -= len(held)
                queue.relieved(self.number)
            if self._broker.queues.get(queue.name) is queue:
                act(queue, [each.item for each in held])
        self._window.settled(sum(each.consumer is not None for each in taken))
        if not was_open and self._window.is_open:
            # In life the queues come in any order.
            for queue in self._queues_relieved():
                self._broker.run(queue, look=False)

    def _queues_relieved(self) -> list[Queue]:
        """The queues that this channel consumes; those of its consumers that have room again have a turn."""
        queues = [self._broker.queues[name] for name in dict.fromkeys(each.queue for each in self.consumers.values())]
        for queue in queues:
            queue.relieved(self.number)
        return queues

    def close(self) -> None:
        """Close the channel: its consumers end, and what it holds goes back to the queues."""
        if not self.is_open:
            return
        broker = self._broker
        consumers, self.consumers = self.consumers, {}
        taken = list(self._held.values())
        self.forget()
        del broker.channels[self.number]
        left: list[Queue] = []
        for consumer in consumers.values():
            queue = broker.queues.get(consumer.queue)
            if queue is not None:
                queue.unsubscribe(consumer)
                left.append(queue)
                if queue.is_quorum:
                    # The next single active consumer gets what is ready before it learns what comes back.
                    broker.run(queue)
        for queue in dict.fromkeys(each.queue for each in taken):
            if broker.queues.get(queue.name) is queue:
                broker.give_back(queue, [each.item for each in taken if each.queue is queue], CHANNEL_CLOSED)
        for queue in left:
            broker.delete_if_left(queue)
            if queue.name in broker.queues:
                broker.run(queue)

    def forget(self) -> None:
        """The channel is gone, and knows of nothing any more."""
        self.is_open = False
        self._held = {}
