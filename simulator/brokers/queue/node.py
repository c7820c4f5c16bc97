"""The node of a broker like RabbitMQ: a place in a scenario, with what the broker is set up with.

`simulator.brokers.queue.protocol` has what clients say to it, `simulator.brokers.queue.front` what it does about that, and
`simulator.brokers.queue.broker` what it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.declared import Bound, ExchangeDeclared, QueueDeclared, as_queues, set_up
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.front import Front
from simulator.message import Message
from simulator.scenario import Node, Scenario

if TYPE_CHECKING:
    from simulator.engine import Sim


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, list | tuple) else (values,)


@frozen
class RabbitMQ(Node):
    """A broker like RabbitMQ 3.10, one node. It decides as a real one does, see `simulator.brokers.queue.broker`.

    A crash takes the connections, transient queues and exchanges, and from a durable classic queue the messages that are not
    persistent. Simplified: a persistent message is on disk, and confirmed, as soon as it is in its queue; a connection on which
    something gets lost is broken after a while, where TCP would first send it again and again. Publishings keep their order on
    an ``ordered`` link.
    """

    role: ClassVar[str] = "broker"

    queues: tuple[QueueDeclared, ...] = field(default=(), converter=as_queues, kw_only=True)
    """`QueueDeclared`, or a name alone for a durable classic queue."""
    exchanges: tuple[ExchangeDeclared, ...] = field(default=(), converter=_as_tuple, kw_only=True)
    bindings: tuple[Bound, ...] = field(default=(), converter=_as_tuple, kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        if "broker" not in sim.durable:
            sim.durable["broker"] = self.set_up()
        return Front(sim, sim.durable["broker"]).take

    def set_up(self) -> Broker:
        """A broker with all that was declared. Raises AmqpError for what a real one refuses."""
        return set_up(self.exchanges, self.queues, self.bindings)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        parts = (*self.exchanges, *self.queues, *self.bindings)
        strange = [each for each in parts if not isinstance(each, ExchangeDeclared | QueueDeclared | Bound)]
        if strange:
            yield f"{self}: {strange[0]!r} is no part of a broker; it has exchanges, queues and bindings, each in its own list."
            return
        alone = next((each for each in self.queues if each.exclusive), None)
        if alone is not None:
            yield (
                f'{self}: the queue "{alone.name}" is exclusive, and would go with the connection that made it; let a Subscriber '
                "declare it."
            )
        try:
            self.set_up()
        except AmqpError as error:
            yield f"{self}: {error}"
        if not scenario.downstream(self.name) and not scenario.upstream(self.name):
            yield f"{self}: nothing is linked to it; add a Link from a publisher, or to a subscriber."
