"""A small bank with a question of every type, whose keys come from toy functions instead of runs."""

from __future__ import annotations

from pathlib import Path

from quizzes.bank import Bank, read_bank
from quizzes.keys import key_function
from quizzes.questions import Key, StepLine

MISCONCEPTIONS = """
[asynchronous-is-faster]
claim = "Asynchronous is faster."
instead = "The work takes as long as before; only the waiting moves."

[picture-is-system]
claim = "The picture is the system."
instead = "The picture is computed from the trace."
"""

CHAPTER = """
chapter = "00"
title = "A toy chapter"

[[questions]]
id = "00.single"
type = "single-choice"
prompt = "The email service is down. What does the customer of the **event-driven** checkout see?"
key = "computed:toy_outcome"
why = "The run took {took} ms."

[[questions.options]]
id = "error"
text = "An error page"
because = "Nobody waits for the email service."
misconception = "asynchronous-is-faster"

[[questions.options]]
id = "accepted"
text = "The order is accepted after {took} ms"
because = "The event waits in the topic."

[[questions]]
id = "00.several"
type = "multiple-choice"
prompt = "Which of these hold?"
key = ["log", "trace"]

[[questions.options]]
id = "log"
text = "A `Topic` keeps what was appended"
because = "It is a log."

[[questions.options]]
id = "picture"
text = "The picture is the system"
because = "It is drawn from the trace."
misconception = "picture-is-system"

[[questions.options]]
id = "trace"
text = "The trace holds every step"
because = "Everything shown is computed from it."

[[questions]]
id = "00.number"
type = "numeric"
prompt = "How long does it take?"
key = "computed:toy_number"
unit = "ms"
tolerance = 5
because = "Two legs of 10 ms and 30 ms of work."

[[questions.wrong]]
answer = "one_leg"
because = "That counts one leg only."
misconception = "picture-is-system"

[[questions]]
id = "00.order"
type = "put-in-order"
prompt = "What happens first?"
key = ["made", "sent", "stored"]

[[questions.items]]
id = "stored"
text = "The record is appended"
because = "Last."

[[questions.items]]
id = "made"
text = "The order is created"
because = "First."

[[questions.items]]
id = "sent"
text = "The record is sent"
because = "Then."

[[questions.wrong]]
first = "stored"
then = "sent"
because = "It cannot be stored before it was sent."
misconception = "picture-is-system"

[[questions]]
id = "00.step"
type = "find-the-step"
prompt = "At which step does the producer know?"
key = "computed:toy_step"
because = "Only the ack tells it."
otherwise = "This step happens elsewhere."

[[questions.wrong]]
kind = "appended"
because = "The topic knows; the producer does not yet."
misconception = "picture-is-system"

[[questions]]
id = "00.guess"
type = "prediction"
prompt = "What will the run do?"
key = "computed:toy_outcome"

[[questions.options]]
id = "error"
text = "It fails"
because = "It would, if somebody waited."
misconception = "asynchronous-is-faster"

[[questions.options]]
id = "accepted"
text = "It goes on"
because = "Nobody waits."
"""


@key_function
def toy_outcome() -> Key:
    """A toy, not a run."""
    return Key("accepted", facts={"took": 12})


@key_function
def toy_number() -> Key:
    """A toy, not a run."""
    return Key(50, facts={"one_leg": 40})


@key_function
def toy_step() -> Key:
    """A toy, not a run."""
    steps = ("shop creates order 1", "shop sends it", "orders appends it", "the ack arrives at the shop")
    kinds = ("created", "sent", "appended", "acknowledged")
    lines = [StepLine(index, kind, text) for index, (kind, text) in enumerate(zip(kinds, steps, strict=True))]
    return Key(3, steps=tuple(lines))


def write_bank(folder: Path, chapter: str = CHAPTER, misconceptions: str = MISCONCEPTIONS) -> Path:
    """The files of a bank in a folder."""
    (folder / "00-toy.toml").write_text(chapter, encoding="utf-8")
    (folder / "misconceptions.toml").write_text(misconceptions, encoding="utf-8")
    return folder


def toy_bank(folder: Path) -> Bank:
    """The toy bank, read from files as any bank is."""
    return read_bank(write_bank(folder))
