"""An operator who has the messages of a dead-letter queue tried again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from simulator.brokers.sqs.front import sources_of
from simulator.brokers.sqs.node import SqsQueue
from simulator.clients.sqs_producer import queues_of
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, not_negative, whole_from

if TYPE_CHECKING:
    from simulator.engine import Sim

_AGAIN = 1_000.0
"""Milliseconds after which it asks again if nobody has answered."""


@frozen
class SqsRedrive(Node):
    """Starts a message move task at a dead-letter queue, once: what is there then goes back to where it came from, or all of it
    to one other queue. What fails there again comes back.

    Source: ``StartMessageMoveTask`` in the Amazon SQS API reference. Without ``max_number_of_messages_per_second`` AWS chooses
    the rate itself; here it is then the highest, 500.
    """

    role: ClassVar[str] = "producer"

    at: float = field(metadata=not_negative("ms"))
    """When, in milliseconds."""
    destination: str | None = field(default=None, kw_only=True)
    """The queue that gets the messages (for AWS, ``DestinationArn``); None: each goes back to the queue that it came from."""
    max_number_of_messages_per_second: int | None = field(
        default=None, metadata=whole_from(1, 500, or_none=True), kw_only=True
    )
    limit: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """How many messages are moved at most. AWS's task has no such parameter: it stands for somebody who watches the task and
    cancels it in time (``CancelMessageMoveTask``)."""

    def behave(self, sim: Sim) -> Generator[Any, Any, None]:
        if sim.now > self.at:
            return
        yield sim.sleep(self.at - sim.now)
        (queue,) = queues_of(sim.scenario, self.name)
        wanted = (self.max_number_of_messages_per_second, self.destination, self.limit)
        request = sim.envelope("start_message_move_task", None, wanted)
        answer = None
        while answer is None:
            # However often it asks, the queue begins with it once.
            sim.send(queue.name, request)
            answer = yield sim.receive(timeout=_AGAIN)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        queues = queues_of(scenario, self.name)
        if len(queues) != 1 or not sources_of(scenario, queues[0].name):
            yield f'{self}: link it to one dead-letter queue (another queue\'s dead_letter_target): Link("{self.name}", queue).'
        elif self.destination is not None:
            yield from self._destination_problems(scenario, queues[0], self.destination)

    def _destination_problems(self, scenario: Scenario, source: SqsQueue, destination: str) -> Iterator[str]:
        others = {node.name: node for node in scenario.nodes_of(SqsQueue) if node != source}
        if destination not in others:
            yield f'{self}: its destination is "{destination}", which is no other queue; {did_you_mean(destination, others)}'
        elif others[destination].fifo_queue != source.fifo_queue:
            kind = "FIFO" if source.fifo_queue else "standard"
            yield f"{self}: {source} is a {kind} queue, so the destination must be one too (InvalidParameterValue)."
        elif not scenario.linked(source.name, destination):
            yield f'{self}: no link joins the two queues; add Link("{source.name}", "{destination}").'
