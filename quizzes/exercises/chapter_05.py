"""The exercises of chapter 05: keep a queue moving past an order that always fails, and lose nothing with the leader."""

from __future__ import annotations

from collections.abc import Iterator

from quizzes.exercises.judging import Exercise, Result, Stage, Trial, with_faults
from quizzes.exercises.verdicts import finished, kept, survives, told
from simulator import Crash, Cut, Scenario, Span, Trace, kafka_links
from simulator.reading import Verdict
from simulator.scenarios import last_in_sync, poison_message

_AROUND = """Where does RabbitMQ put an order that is given back? Whatever stands behind it has to wait. Look for a setting that
ends the attempts."""
_DROPPED = "Nobody tries that order any more, and nobody has it either. Somebody will ask for it: where could it be put?"
_RESTARTED = """What was in RabbitMQ when it went down? Look at what is persistent of it, the queue and each message, and at what
the shop knows of an order that it has just sent."""


def _moving(trace: Trace) -> Iterator[Verdict]:
    yield kept(trace, "billing")
    yield finished(trace, "billing")


def _with(scenario: Scenario, *poison: str) -> Scenario:
    return scenario.but_node("billing", poison=list(poison))


def _poisoned(*faults: Crash) -> Stage:
    stage = with_faults(*faults)
    return lambda scenario: stage(_with(scenario, "order-3"))


def _healthy(*faults: Crash) -> Stage:
    stage = with_faults(*faults)
    return lambda scenario: stage(_with(scenario))


def _same_orders(start: Scenario, scenario: Scenario) -> Iterator[Result]:
    same = all(
        getattr(scenario.node("shop"), name) == getattr(start.node("shop"), name)
        for name in ("every", "count", "keys", "event")
    )
    yield Result("the shop sends the same orders", "" if same else "The orders have changed; change how they are handled.")


KEEP_MOVING = Exercise(
    id="05.keep-moving",
    title="Keep the queue moving",
    start=poison_message,
    trials=tuple(
        Trial(name, stage, hints={"kept": lost, "finished": _AROUND})
        for name, lost, stage in (
            ("nothing goes wrong", _DROPPED, _healthy()),
            ("order-3 fails whenever it is tried", _DROPPED, _poisoned()),
            (
                "billing crashes in the middle of order-2",
                "Billing had that order in hand. Who else had it, and when did it forget?",
                _healthy(Crash("billing", after="started", nth=2, restart_after=100)),
            ),
            (
                "order-3 fails, and RabbitMQ is down while order-5 is on its way",
                _RESTARTED,
                _poisoned(Crash("rabbitmq", at=145, restart_after=60)),
            ),
        )
    ),
    verdicts=_moving,
    rules=_same_orders,
    after="""An order that always fails is tried a few times or once, and then set aside where somebody can look at it. That
    is what a dead-letter exchange is for. It is worth as little as the queue behind it: messages are persistent
    only where somebody said so, and the shop can only repeat what it knows was not confirmed.""",
)

_TOO_EAGER = """The shop was told so by the leader alone. In the replay: which followers had fetched that order when the shop
    was told?"""
_ALONE = """Acks=all waits for all that are in sync. Who was in sync by then, and who should have been asked to refuse?"""
_STANDS_STILL = (
    "One broker of three is down, and nobody can order. How many of them must be in sync for an order to be accepted?"
)
_UNTOLD = "The shop sent it and never asked what became of it."


def _stored(trace: Trace) -> Iterator[Verdict]:
    yield survives(trace, "shop")
    yield told(trace, "shop")


def _in_a_burst(scenario: Scenario) -> Scenario:
    """Orders come faster than followers, which are a little farther away, can fetch; the leader dies on storing the eighth."""
    return scenario.but_node("shop", every=8).but(
        links=kafka_links(scenario.nodes, latency=2, between_brokers=10),
        faults=[Crash("broker-1", after="appended", nth=8)],
    )


_LOST_SIGHT = [Cut("broker-1", follower, during=Span(1_200, 7_000)) for follower in ("broker-2", "broker-3")]


def _as_found() -> Scenario:
    return last_in_sync(acks="1", min_insync_replicas=1, unclean_leader_election_enable=True)


LOSE_NOTHING = Exercise(
    id="05.lose-nothing",
    title="Lose no order that was accepted",
    start=_as_found,
    trials=tuple(
        Trial(name, stage, hints={"survives": lost, "told": waits})
        for name, lost, waits, stage in (
            ("nothing goes wrong", _TOO_EAGER, _UNTOLD, with_faults()),
            ("one of the brokers is down all the time", _TOO_EAGER, _STANDS_STILL, with_faults(Crash("broker-3", at=0))),
            ("the leader dies for good, in the middle of a burst", _TOO_EAGER, _UNTOLD, _in_a_burst),
            (
                "the followers lose sight of the leader, and it dies for five seconds",
                _ALONE,
                _UNTOLD,
                with_faults(*_LOST_SIGHT, Crash("broker-1", at=7_000, restart_after=5_000)),
            ),
            (
                "the followers lose sight of the leader, and it dies for good",
                _ALONE,
                _UNTOLD,
                with_faults(*_LOST_SIGHT, Crash("broker-1", at=7_000)),
            ),
        )
    ),
    verdicts=_stored,
    rules=_same_orders,
    after="""The shop waits for all that are in sync, and these must be two at least: whichever broker dies, another one has
    the order. Three would be safer still, and then nobody could order while one is down. The price is paid in
    waiting: where two are not to be had, the shop gets no answer until they are.""",
)

EXERCISES = (KEEP_MOVING, LOSE_NOTHING)
