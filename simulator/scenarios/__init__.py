"""The course's named scenarios: functions whose annotated parameters are their controls, the most important first."""

from collections.abc import Callable

from simulator.scenario import Scenario
from simulator.scenarios.checkout import checkout, checkout_burst, payment_hiccup
from simulator.scenarios.first import lost_commit, one_order, three_orders

__all__ = ["SCENARIOS", "checkout", "checkout_burst", "lost_commit", "one_order", "payment_hiccup", "three_orders"]

SCENARIOS: dict[str, Callable[..., Scenario]] = {
    scenario.__name__: scenario
    for scenario in (one_order, lost_commit, three_orders, checkout, checkout_burst, payment_hiccup)
}
"""Every named scenario by its name, in the course's order."""
