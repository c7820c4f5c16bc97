"""What an exercise is made of, and what comes of judging a scenario by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from simulator import RunStopped, Scenario, ScenarioError, Step, Trace, run
from simulator.reading import Verdict

_MOST_STEPS = 20_000
"""More than any exercise needs: a scenario that goes in circles ends here, with the run so far."""

Stage = Callable[[Scenario], Scenario]


def as_it_is(scenario: Scenario) -> Scenario:
    """The scenario unchanged: the trial in which nothing goes wrong."""
    return scenario


def with_faults(*faults: Any) -> Stage:
    """A trial's stage: the scenario with these faults and no others."""
    return lambda scenario: scenario.but(faults=faults)


@frozen
class Trial:
    """One situation that a solution has to stand."""

    name: str
    """The situation in words: "the reply gets lost"."""
    stage: Stage = as_it_is
    """Makes the situation of the learner's scenario."""
    seed: int = 1
    hints: Mapping[str, str] = field(factory=dict)
    """By the name of the check that is broken, shown if this trial is the first to fail: where to look, never what to write."""


@frozen
class Result:
    """What came of one trial."""

    name: str
    complaint: str
    """Why it does not hold, in a sentence; empty where it does."""
    trace: Trace | None = field(default=None, repr=False)
    """None: it could not be run, or is a rule about the scenario itself."""
    evidence: tuple[Step, ...] = field(default=(), repr=False)
    hint: str = ""

    @property
    def holds(self) -> bool:
        """Whether the solution stands this trial."""
        return not self.complaint

    @property
    def at(self) -> int:
        """The step to look at: where it is broken for good, or the last one."""
        if self.evidence:
            return self.evidence[-1].index
        return len(self.trace) - 1 if self.trace is not None else -1

    @property
    def focus(self) -> str | None:
        """The key that the trouble is about; None if it is about none."""
        return next((step.message.key for step in self.evidence if step.message is not None and step.message.key), None)


def no_rules(start: Scenario, scenario: Scenario) -> Iterable[Result]:
    """Nothing is asked of the scenario itself."""
    return ()


@frozen
class Exercise:
    """A change that the learner is asked for, and how it is judged."""

    id: str
    title: str
    start: Callable[[], Scenario]
    """The scenario that the exercise begins with."""
    trials: tuple[Trial, ...]
    verdicts: Callable[[Trace], Iterable[Verdict]]
    """The guarantees that each trial's run is held to."""
    after: str
    """What to take away, shown when all holds."""
    rules: Callable[[Scenario, Scenario], Iterable[Result]] = no_rules
    """What is asked of the scenario itself, given the start and the learner's."""
    added: tuple[str, ...] = ()
    """Nodes that the learner has to add, by name."""

    def judge(self, scenario: object) -> Judgement:
        """Put a scenario through all trials."""
        if not isinstance(scenario, Scenario):
            what = "a function" if callable(scenario) else f"{scenario!r}"
            return self._refused(f"This is {what}, not a scenario; call it, and hand over what it returns.")
        start = self.start()
        gone = [f'"{name}"' for name in (*start.names, *self.added) if name not in scenario.names]
        if gone:
            return self._refused(f"The scenario has no node {' and no node '.join(gone)}.")
        return Judgement(self, (*self.rules(start, scenario), *(self._try(trial, scenario) for trial in self.trials)))

    def _refused(self, complaint: str) -> Judgement:
        return Judgement(self, (Result("it can be tried", complaint),))

    def _try(self, trial: Trial, scenario: Scenario) -> Result:
        try:
            trace = run(trial.stage(scenario), trial.seed, max_steps=_MOST_STEPS, progress=False)
        except (ScenarioError, RunStopped) as error:
            return Result(trial.name, f"It can't be tried. {error}")
        broken = next((verdict for verdict in self.verdicts(trace) if not verdict.holds or not verdict.settled), None)
        if broken is None:
            return Result(trial.name, "", trace)
        return Result(trial.name, broken.sentence, trace, broken.evidence, trial.hints.get(broken.check, ""))


@frozen(repr=False)
class Judgement:
    """What came of a learner's scenario. In a notebook it shows itself, with a replay open where it goes wrong."""

    exercise: Exercise
    results: tuple[Result, ...]

    @property
    def solved(self) -> bool:
        """Whether every trial holds."""
        return all(result.holds for result in self.results)

    @property
    def first_failure(self) -> Result | None:
        """The first trial that does not hold, if any: the one to look at."""
        return next((result for result in self.results if not result.holds), None)

    @property
    def headline(self) -> str:
        """How far it is solved, in a sentence."""
        held = sum(result.holds for result in self.results)
        if self.solved:
            return f"Solved: all {held} hold."
        return f"Not yet: {held} of {len(self.results)} hold."

    def __repr__(self) -> str:
        failed = self.first_failure
        lines = [f"{self.exercise.title}. {self.headline}", *map(_line, self.results)]
        lines += _advice(self.exercise.after if failed is None else failed.hint, "Hint: " if failed else "")
        return "\n".join(lines)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        from quizzes.widget.judged import Judged

        return Judged(self)._repr_mimebundle_(**options)


def _line(result: Result) -> str:
    if result.holds:
        return f"  ✓ {result.name}"
    where = f" (step {result.at})" if result.trace is not None else ""
    return f"  ✗ {result.name}: {result.complaint}{where}"


def _advice(text: str, before: str) -> Sequence[str]:
    return ["", before + " ".join(text.split())] if text else []
