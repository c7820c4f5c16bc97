"""Controls from annotations: what the browser is told, what its values mean, and the code for the same run."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from simulator import Caller, Link, Range, Scenario, Service, Span
from simulator.parameters import parameters
from simulator.views.controls import IN_SIGHT, Controls
from tests.views.shop import shop


def controls() -> Controls:
    return Controls(shop, parameters(shop))


def spec(name: str) -> dict[str, object]:
    return next(each for each in controls().specs if each["name"] == name)


def scenario_of(*links: Link) -> Scenario:
    return Scenario(nodes=[Caller("shop"), Service("orders")], links=links or [Link("shop", "orders")])


def test_at_most_four_controls_are_in_sight():
    folded = [each["folded"] for each in controls().specs]

    assert folded == [False] * IN_SIGHT + [True] * (len(folded) - IN_SIGHT)


def test_a_control_knows_range_unit_and_label():
    told = spec("email_work")

    assert (told["low"], told["high"], told["unit"], told["label"]) == (1, 200, "ms", "Work for one e-mail")


@pytest.mark.parametrize(
    ("low", "high", "default", "step"),
    [(1, 200, 20, 1), (0, 1, 0.35, 0.01), (0, 1_000, 500, 10), (1, 1_000, 20, 1), (0.5, 60, 4, 0.5), (5, 500, 40, 1)],
)
def test_an_arrow_key_moves_about_a_hundredth_and_reaches_the_default(low, high, default, step):
    def named(x: Annotated[float, Range(low, high)] = default) -> Scenario:
        return scenario_of()

    # A local function's annotations hold what the parameters of this test are.
    named.__annotations__ = {"x": Annotated[float, Range(low, high)], "return": Scenario}

    assert Controls(named, parameters(named)).specs[0]["step"] == pytest.approx(step)


def test_a_range_with_a_step_keeps_it():
    def named(x: Annotated[float, Range(0, 10, step=2.5)] = 5) -> Scenario:
        return scenario_of()

    assert Controls(named, parameters(named)).specs[0]["step"] == 2.5


def test_a_pair_from_the_browser_is_a_span():
    values = controls().checked({"email_outage": [500, 700]})

    assert values["email_outage"] == Span(500, 700)
    assert Controls.as_json(values)["email_outage"] == [500, 700]


def test_a_span_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="ends at 100 ms, before it starts at 700 ms"):
        controls().checked({"email_outage": [700, 100]})


def test_none_switches_an_optional_parameter_off_and_its_usual_value_on():
    assert controls().checked({"email_outage": None})["email_outage"] is None
    assert spec("email_outage")["usual"] == [1_000, 2_000]


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match='did you mean "retries"'):
        controls().checked({"retrys": 2})


def test_values_given_before_stay_where_nothing_else_is_said():
    before = controls().checked({"retries": 5})

    assert controls().checked({"email_work": 10}, before=before)["retries"] == 5


def test_the_code_names_only_what_is_not_the_default():
    values = controls().checked({"style": "request-response", "email_work": 12.5, "email_outage": [1_500, 3_000]})

    code = controls().code(values, 7)

    assert code == 'run(shop(style="request-response", email_work=12.5, email_outage=Span(1_500, 3_000)), seed=7)'


def test_the_code_makes_the_same_scenario():
    def named(
        word: str = 'say "hi"', many: int = 3, on: bool = False, way: Literal["a", "b"] = "a", when: Span | None = None
    ) -> Scenario:
        return scenario_of().but(
            name=f"{word} {many} {on} {way} {when and (when.start * 2, when.end * 2.0)}".replace(".0", "")
        )

    made = Controls(named, parameters(named))
    values = made.checked({"word": 'back\\slash "quoted"', "many": 12_000, "on": True, "way": "b", "when": [1, 2.5]})

    told = made.code(values, 0)

    again = eval(told, {"run": lambda scenario, seed: scenario, "named": named, "Span": Span})
    assert again == made.make(values)


def test_what_is_left_out_has_no_control_but_keeps_its_value():
    made = Controls(shop, parameters(shop), leave_out=["style"])

    assert "style" not in [each["name"] for each in made.specs]
    assert made.checked({})["style"] == "event-driven"
