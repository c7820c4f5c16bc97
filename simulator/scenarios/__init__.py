"""The course's named scenarios: functions whose annotated parameters are their controls, the most important first."""

from collections.abc import Callable

from simulator.scenario import Scenario
from simulator.scenarios.checkout import checkout, checkout_burst, payment_hiccup
from simulator.scenarios.first import lost_commit, one_order, three_orders
from simulator.scenarios.kafka import consumer_group, last_in_sync, leader_dies, read_process_write
from simulator.scenarios.rabbitmq import one_slow_message, poison_message, redrive, routing
from simulator.scenarios.sqs import message_groups, visibility_timeout
from simulator.scenarios.three_brokers import three_brokers

__all__ = [
    "SCENARIOS", "checkout", "checkout_burst", "consumer_group", "last_in_sync", "leader_dies", "lost_commit", "message_groups",
    "one_order", "one_slow_message", "payment_hiccup", "poison_message", "read_process_write", "redrive", "routing",
    "three_brokers", "three_orders", "visibility_timeout",
]  # fmt: skip

SCENARIOS: dict[str, Callable[..., Scenario]] = {
    scenario.__name__: scenario
    for scenario in (
        *(one_order, lost_commit, three_orders),
        *(checkout, checkout_burst, payment_hiccup),
        *(routing, one_slow_message, poison_message, redrive),
        *(visibility_timeout, message_groups),
        *(leader_dies, last_in_sync, consumer_group, read_process_write),
        three_brokers,
    )
}
"""Every named scenario by its name, in the course's order."""
