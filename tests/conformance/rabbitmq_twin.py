"""The same operations on our broker and on a real RabbitMQ server: what a client can see must be the same after each.

An operation has one name and one set of arguments on both sides, pika's. Real time is never waited for as such: after each
operation the real server is asked until it shows what ours shows, and the test fails if it does not come to that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pika
import pika.exceptions
from hypothesis import HealthCheck, Phase

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.channel import Channel
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.messages import Cancel, Confirm, Content, Deliver, Envelope, GetOk, Return
from tests.conformance.rabbitmq_server import RabbitMQServer
from tests.profiles import some

_PATIENCE = 10.0
"""Seconds within which the real server must show what ours does."""


A_FEW = some(
    4 / 3,
    # A script that fails is not made smaller: each attempt waits for what never comes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""How random scripts are tried on both."""


class Seen(NamedTuple):
    """A message as a client sees it."""

    exchange: str
    routing_key: str
    body: str
    headers: Any
    expiration: str | None


def plain(value: Any) -> Any:
    """Headers in one form, without the one thing that differs: the wall clock's time of a death."""
    if isinstance(value, Mapping):
        return {name: plain(held) for name, held in sorted(value.items()) if name != "time"}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _seen(envelope: Envelope) -> Seen:
    content = envelope.content
    return Seen(envelope.exchange, envelope.routing_key, content.body, plain(content.headers), content.expiration)


class Ours:
    """Our broker behind the script's operations."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.channels: dict[str, Channel] = {}
        self.events: dict[str, list[Any]] = {}

    def _channel(self, name: str) -> Channel:
        known = self.channels.get(name)
        if known is None or not known.is_open:
            known = self.channels[name] = self.broker.channel(name.split("/", maxsplit=1)[0])
        return known

    def ask(self, name: str, operation: str, arguments: dict[str, Any]) -> Any:
        channel = self._channel(name)
        if operation == "basic_publish":
            arguments = _for_us(arguments)
        try:
            answer = getattr(channel, operation)(**arguments)
        except AmqpError as error:
            self._collect()
            return ("refused", error.name, error.code)
        if isinstance(answer, GetOk):
            answer = (answer.delivery_tag, answer.redelivered, _seen(answer.message), answer.message_count)
        confirms = self._collect()
        return confirms if operation == "basic_publish" and confirms else None if operation == "basic_publish" else answer

    def _collect(self) -> list[str]:
        names = {channel.number: name for name, channel in self.channels.items()}
        confirms = []
        for effect in self.broker.take_effects():
            if isinstance(effect, Deliver):
                self._note(
                    names[effect.channel],
                    effect.consumer_tag,
                    effect.delivery_tag,
                    effect.redelivered,
                    _seen(effect.message),
                )
            elif isinstance(effect, Return):
                self._note(names[effect.channel], "returned", _seen(effect.message))
            elif isinstance(effect, Cancel):
                self._note(names[effect.channel], "cancelled", effect.consumer_tag)
            elif isinstance(effect, Confirm):
                confirms.append("ack" if effect.ack else "nack")
        return confirms

    def _note(self, name: str, *event: Any) -> None:
        self.events.setdefault(name, []).append(event)

    def wait(self, ms: float) -> None:
        self.broker.advance(self.broker.now + ms)
        self._collect()

    def close(self, name: str) -> None:
        self._channel(name).close()
        self._collect()

    def close_connection(self, name: str) -> None:
        self._channel(f"{name}/1")
        self.broker.close_connection(name)
        self._collect()

    def restart(self) -> None:
        self.broker.restart()
        self.broker.take_effects()

    def queues(self, names: dict[str, bool]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, is_quorum in names.items():
            channel = self.broker.channel("observer")
            try:
                found[name] = _counts(*channel.queue_declare(name, passive=True)[1:], is_quorum)
            except AmqpError as error:
                found[name] = error.name
            channel.close()
        return found


def _for_us(arguments: dict[str, Any]) -> dict[str, Any]:
    given = dict(arguments)
    body = given.pop("body", "")
    content = Content(
        body,
        delivery_mode=2 if given.pop("persistent", False) else 1,
        headers=given.pop("headers", None) or {},
        priority=given.pop("priority", None),
        expiration=given.pop("expiration", None),
        size=len(body),
    )
    return {**given, "content": content}


class Theirs:
    """A real server behind the script's operations."""

    def __init__(self, server: RabbitMQServer) -> None:
        self.server = server
        self.events: dict[str, list[Any]] = {}
        self._connections: dict[str, pika.BlockingConnection] = {}
        self._channels: dict[str, Any] = {}
        self._confirming: set[str] = set()

    def _connection(self, name: str) -> pika.BlockingConnection:
        known = self._connections.get(name)
        if known is None or not known.is_open:
            known = self._connections[name] = self.server.connect()
        return known

    def _channel(self, name: str) -> Any:
        known = self._channels.get(name)
        if known is None or not known.is_open:
            known = self._channels[name] = self._connection(name.split("/", maxsplit=1)[0]).channel()
            known.add_on_return_callback(lambda _, method, properties, body: self._returned(name, method, properties, body))
            known.add_on_cancel_callback(lambda frame: self._note(name, "cancelled", frame.method.consumer_tag))
            self._confirming.discard(name)
        return known

    def _note(self, name: str, *event: Any) -> None:
        self.events.setdefault(name, []).append(event)

    def _returned(self, name: str, method: Any, properties: Any, body: bytes) -> None:
        self._note(name, "returned", _message(method, properties, body))

    def ask(self, name: str, operation: str, arguments: dict[str, Any]) -> Any:
        channel = self._channel(name)
        try:
            answer = getattr(self, f"_{operation}", self._any)(name, channel, operation, arguments)
            # What AMQP does not answer, it refuses later: a question that it does answer brings that to light.
            channel.flow(True)
        except pika.exceptions.ChannelClosedByBroker as error:
            return _refused(error)
        except pika.exceptions.ConnectionClosedByBroker as error:
            return _refused(error)
        return answer

    def _any(self, name: str, channel: Any, operation: str, arguments: dict[str, Any]) -> Any:
        answer = getattr(channel, operation)(**arguments)
        if operation == "queue_declare":
            return (answer.method.queue, answer.method.message_count, answer.method.consumer_count)
        return answer.method.message_count if operation in ("queue_delete", "queue_purge") else None

    def _confirm_select(self, name: str, channel: Any, *_: Any) -> None:
        if name not in self._confirming:
            channel.confirm_delivery()
            self._confirming.add(name)

    def _basic_publish(self, name: str, channel: Any, operation: str, arguments: dict[str, Any]) -> Any:
        given = dict(arguments)
        properties = pika.BasicProperties(
            delivery_mode=2 if given.pop("persistent", False) else 1,
            headers=given.pop("headers", None) or {},
            priority=given.pop("priority", None),
            expiration=given.pop("expiration", None),
        )
        body = given.pop("body", "").encode()
        try:
            channel.basic_publish(**given, body=body, properties=properties)
        except pika.exceptions.UnroutableError:
            # The message itself comes back by the callback.
            return ["ack"]
        except pika.exceptions.NackError:
            return ["nack"]
        return ["ack"] if name in self._confirming else None

    def _basic_consume(self, name: str, channel: Any, operation: str, arguments: dict[str, Any]) -> Any:
        def take(_: Any, method: Any, properties: Any, body: bytes) -> None:
            self._note(
                name, method.consumer_tag, method.delivery_tag, method.redelivered, _message(method, properties, body)
            )

        return channel.basic_consume(**arguments, on_message_callback=take)

    def _basic_get(self, name: str, channel: Any, operation: str, arguments: dict[str, Any]) -> Any:
        method, properties, body = channel.basic_get(**arguments)
        if method is None:
            return None
        return method.delivery_tag, method.redelivered, _message(method, properties, body), method.message_count

    def _basic_cancel(self, name: str, channel: Any, operation: str, arguments: dict[str, Any]) -> None:
        channel.basic_cancel(**arguments)

    def _basic_recover(self, name: str, channel: Any, operation: str, arguments: dict[str, Any]) -> None:
        channel.basic_recover(requeue=True)

    def wait(self, ms: float) -> None:
        """Nothing to do: whoever compares waits until it shows."""

    def close(self, name: str) -> None:
        self._channel(name).close()

    def close_connection(self, name: str) -> None:
        self._connection(name).close()

    def restart(self) -> None:
        self.close_all()
        self.server.stop()
        self.server.start()

    def until_exchange_is_gone(self, name: str) -> None:
        """Wait for it without touching any queue."""
        until = time.monotonic() + _PATIENCE
        while self.ask("observer/1", "exchange_declare", {"exchange": name, "passive": True}) is None:
            assert time.monotonic() < until, f"the exchange {name} is still there"
            time.sleep(0.05)

    def close_all(self) -> None:
        for connection in self._connections.values():
            if connection.is_open:
                with contextlib.suppress(pika.exceptions.AMQPError):
                    connection.close()
        self._connections, self._channels = {}, {}
        self._confirming.clear()

    def look(self) -> None:
        """Take in what has come."""
        for name, connection in self._connections.items():
            if connection.is_open and name != "observer":
                with contextlib.suppress(pika.exceptions.AMQPError):
                    connection.process_data_events(0)

    def queues(self, names: dict[str, bool]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, is_quorum in names.items():
            try:
                method = self._channel("observer/1").queue_declare(name, passive=True).method
                found[name] = _counts(method.message_count, method.consumer_count, is_quorum)
            except pika.exceptions.ChannelClosedByBroker as error:
                found[name] = _refused(error)[1]
        return found

    def clean(self, queues: list[str], exchanges: list[str]) -> None:
        """Leave nothing for the next script."""
        self.close_all()
        channel = self._channel("observer/1")
        for name in queues:
            channel.queue_delete(name)
        for name in exchanges:
            if name and not name.startswith("amq."):
                channel.exchange_delete(name)
        self.close_all()


def _counts(messages: int, consumers: int, is_quorum: bool) -> tuple[int, int | None]:
    """Ready messages and consumers. A quorum queue's consumers are not compared: it counts cancelled ones that still hold
    messages, and of a single active consumer's queue only the active one."""
    return messages, None if is_quorum else consumers


def _message(method: Any, properties: Any, body: bytes) -> Seen:
    return Seen(method.exchange, method.routing_key, body.decode(), plain(properties.headers or {}), properties.expiration)


def _refused(error: Any) -> tuple[str, str, int]:
    return "refused", error.reply_text.split(" ")[0].rstrip("-"), error.reply_code


class Twin:
    """Both, side by side. `do` an operation on a channel named ``connection/number``; a channel opens by being used, and again
    after it was closed."""

    def __init__(self, server: RabbitMQServer) -> None:
        self.ours = Ours()
        self.theirs = Theirs(server)
        self.script: list[Any] = []
        self._queues: dict[str, bool] = {}
        """The queues that may be there, and whether they are quorum queues."""
        self._exchanges: dict[str, None] = {}

    def do(self, channel: str, operation: str, **arguments: Any) -> Any:
        """Do it on both, hold the answers and what is to be seen against each other, and give the answer."""
        self.script.append((channel, operation, arguments))
        if operation == "queue_declare":
            kind = (arguments.get("arguments") or {}).get("x-queue-type")
            self._queues.setdefault(arguments["queue"], kind == "quorum")
        elif operation == "exchange_declare":
            self._exchanges[arguments["exchange"]] = None
        wanted = self.ours.ask(channel, operation, arguments)
        answer = self.theirs.ask(channel, operation, arguments)
        assert _comparable(answer) == _comparable(wanted), self._told("answered", answer, wanted)
        self.theirs_come_to_it()
        return wanted

    def _also(self, what: str, *arguments: Any) -> None:
        self.script.append((what, *arguments))
        getattr(self.ours, what)(*arguments)
        getattr(self.theirs, what)(*arguments)
        self.theirs_come_to_it()

    def wait(self, ms: float) -> None:
        """Let time pass."""
        self._also("wait", ms)

    def close(self, channel: str) -> None:
        """Close a channel."""
        self._also("close", channel)

    def close_connection(self, name: str) -> None:
        """Close a connection with all its channels."""
        self._also("close_connection", name)

    def restart(self) -> None:
        """Stop both brokers in an orderly way and start them again."""
        self._also("restart")

    def held(self, channel: str) -> list[int]:
        """The delivery tags of what a channel holds unacknowledged, in order."""
        known = self.ours.channels.get(channel)
        return list(known.unsettled) if known is not None else []

    def consumers(self, channel: str) -> list[str]:
        """The tags of a channel's consumers, in the order in which they came."""
        known = self.ours.channels.get(channel)
        return list(known.consumers) if known is not None else []

    def events(self, channel: str) -> list[Any]:
        """What came to a channel so far."""
        return self.ours.events.get(channel, [])

    def bodies(self, channel: str) -> list[str]:
        """The bodies of the messages that were delivered to a channel, in order."""
        return [event[-1].body for event in self.events(channel) if isinstance(event[-1], Seen)]

    def theirs_come_to_it(self) -> None:
        """Ask the real server until a client sees the same there as here. Raises AssertionError if that never comes."""
        wanted = (self.ours.queues(self._queues), self.ours.events)
        until = time.monotonic() + _PATIENCE
        while True:
            found = (self.theirs.queues(self._queues), self.theirs.events)
            self.theirs.look()
            if found == wanted:
                return
            assert time.monotonic() < until, self._told("came to", found, wanted)
            time.sleep(0.002)

    def _told(self, verb: str, found: Any, wanted: Any) -> str:
        steps = "\n".join(f"  {step}" for step in self.script)
        return f"after\n{steps}\nRabbitMQ {verb}\n  {found}\nours\n  {wanted}"

    def clean(self) -> None:
        """Take everything away again from the real server."""
        self.theirs.clean(list(self._queues), list(self._exchanges))


def _comparable(answer: Any) -> Any:
    return tuple(answer) if isinstance(answer, list | tuple) else answer


@contextlib.contextmanager
def twin(server: RabbitMQServer) -> Iterator[Twin]:
    """Both brokers, empty before and after."""
    made = Twin(server)
    try:
        yield made
    finally:
        made.clean()
