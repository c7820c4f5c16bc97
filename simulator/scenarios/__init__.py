"""The course's named scenarios: functions whose annotated parameters are their controls, the most important first."""

from collections.abc import Callable

from simulator.scenario import Scenario
from simulator.scenarios.checkout import checkout, checkout_burst, retry_storm
from simulator.scenarios.first import double_charge, lost_commit, one_order

__all__ = ["SCENARIOS", "checkout", "checkout_burst", "double_charge", "lost_commit", "one_order", "retry_storm"]

SCENARIOS: dict[str, Callable[..., Scenario]] = {
    scenario.__name__: scenario
    for scenario in (one_order, lost_commit, double_charge, checkout, checkout_burst, retry_storm)
}
"""Every named scenario by its name, in the course's order."""
