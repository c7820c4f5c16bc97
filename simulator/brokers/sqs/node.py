"""The node of a queue like Amazon SQS: a place in a scenario, with the queue's attributes.

`simulator.brokers.sqs.front` has what it does about its messages, `simulator.brokers.sqs.queue` what it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from simulator.brokers.sqs.attributes import IN_FLIGHT_MAX, QueueAttributes, name_problem
from simulator.brokers.sqs.front import Front
from simulator.brokers.sqs.queue import Queue
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, probability, whole_from

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class SqsQueue(Node, QueueAttributes):
    """A queue like Amazon SQS. Its attributes have Amazon SQS's names, defaults and limits, and **are in whole seconds as there**
    (``visibility_timeout=30`` is half a minute), unlike the simulator's own settings, which are in milliseconds.

    What is stored, and when it becomes visible, is durable: a crash loses the polls that wait, nothing else. ``servers`` and
    ``unreachable`` are no attributes of AWS's, which tells neither: on how many servers a standard queue lives (a short poll
    asks half of them), and how likely one of them can't be reached when a message is received or deleted, so that it comes twice.
    """

    role: ClassVar[str] = "broker"

    servers: int = field(default=10, metadata=at_least(1), kw_only=True)
    unreachable: float = field(default=0.0, metadata=probability(), kw_only=True)
    in_flight_max: int = field(default=IN_FLIGHT_MAX, metadata=whole_from(1, IN_FLIGHT_MAX), kw_only=True)
    """How many messages can be in flight. AWS has 120,000 for both kinds (older texts: 20,000 for FIFO queues) and lets nobody
    set it; a smaller one shows what happens there."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        if "queue" not in sim.durable:
            draw = sim.random("servers").random
            sim.durable["queue"] = Queue(
                self,
                draw,
                name=self.name,
                servers=self.servers,
                unreachable=self.unreachable,
                in_flight_max=self.in_flight_max,
            )
        return Front(self, sim, sim.durable["queue"]).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        wrong = name_problem(self.name, fifo_queue=self.fifo_queue)
        if wrong:
            yield f"{self}: {wrong}."
        yield from self.attribute_problems(str(self))
        if self.redrive_policy is not None:
            yield from self._redrive_problems(scenario, self.redrive_policy.dead_letter_target)

    def _redrive_problems(self, scenario: Scenario, target: str) -> Iterator[str]:
        queues = {node.name: node for node in scenario.nodes_of(SqsQueue) if node.name != self.name}
        if target not in queues:
            yield f'{self}: its dead_letter_target is "{target}", which is no other queue; {did_you_mean(target, queues)}'
        elif queues[target].fifo_queue != self.fifo_queue:
            kind = "FIFO" if self.fifo_queue else "standard"
            yield f'{self}: it is a {kind} queue, so its dead-letter queue "{target}" must be one too (InvalidParameterValue).'
        elif not scenario.linked(self.name, target):
            yield f'{self}: no link joins it and its dead-letter queue; add Link("{self.name}", "{target}").'
