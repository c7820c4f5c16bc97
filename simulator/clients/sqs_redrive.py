"""An operator who has the messages of a dead-letter queue tried again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from simulator.brokers.sqs.node import sources_of
from simulator.clients.sqs_producer import queues_of
from simulator.scenario import Node, Scenario
from simulator.validation import not_negative, whole_from

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class SqsRedrive(Node):
    """Starts a message move task at a dead-letter queue, once: what is there then goes back to where it came from.

    Source: ``StartMessageMoveTask`` in the Amazon SQS API reference. Without ``max_number_of_messages_per_second`` AWS chooses
    the rate itself; here it is then the highest, 500.
    """

    role: ClassVar[str] = "producer"

    at: float = field(metadata=not_negative("ms"))
    """When, in milliseconds."""
    max_number_of_messages_per_second: int | None = field(
        default=None, metadata=whole_from(1, 500, or_none=True), kw_only=True
    )

    def behave(self, sim: Sim) -> Generator[Any, Any, None]:
        if sim.now > self.at:
            return
        yield sim.sleep(self.at - sim.now)
        (queue,) = queues_of(sim.scenario, self.name)
        sim.send(queue.name, sim.envelope("start_message_move_task", None, (self.max_number_of_messages_per_second,)))
        yield sim.receive()

    def problems(self, scenario: Scenario) -> Iterator[str]:
        queues = queues_of(scenario, self.name)
        if len(queues) != 1 or not sources_of(scenario, queues[0].name):
            yield f'{self}: link it to one dead-letter queue (another queue\'s dead_letter_target): Link("{self.name}", queue).'
