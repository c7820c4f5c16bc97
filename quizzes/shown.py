"""What the browser is told: plain JSON of a quiz or a prediction, with no key in it until the answers are
asked for.

The same questions as plain text are the fallback where no widget can be shown: on GitHub, in a terminal, in
an untrusted clone. The text depends on nothing but the bank, so a stored notebook stays the same.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from quizzes.bank import Misconception
from quizzes.questions import Answer, Key, Question
from quizzes.session import Keys, Session

Shown = dict[str, Any]
Table = Mapping[str, Misconception]


def session_shown(session: Session, keys: Keys, table: Table, title: str, status: str = "") -> Shown:
    """A quiz as the browser gets it. Marks appear once scored, keys and explanations only once revealed."""
    questions = []
    for number, question in enumerate(session.questions, start=1):
        key = keys(question)
        given = session.given.get(question.id)
        is_open = question.id in session.open
        marked = given is not None and not is_open
        questions.append(
            question.shown(key)
            | {
                "number": number,
                "open": is_open,
                "mark": ("right" if given.right else "missed") if given and marked else "",
                "given": _json(given.answer) if given else None,
                "confidence": given.confidence if given else "",
                "answers": answers_shown(question, given.answer if given else None, key, table)
                if session.phase == "revealed"
                else None,
            }
        )
    return {
        "kind": "quiz",
        "title": title,
        "mode": session.mode,
        "phase": session.phase,
        "status": status or session.complaint or standing(session),
        "complaint": bool(session.complaint or status),
        "questions": questions,
        "actions": _actions(session),
    }


def standing(session: Session) -> str:
    """Where the learner stands, in one or two sentences, for the live region and for Python."""
    if not session.questions:
        return "There is nothing to ask here yet."
    if session.phase == "answering":
        if session.given:
            return f"Try again what was missed: {_numbers(session, session.open)}."
        if session.mode == "exam":
            return "Exam: one submit, no second try. Score and answers come at the end."
        return ""
    score = session.score
    said = [f"{score.right} of {score.of} right."]
    if session.phase == "scored" and session.missed:
        said.append(f"Not right yet: {_numbers(session, session.missed)}.")
    if session.phase == "revealed":
        said.append("The answers stand under each question.")
    said.append(session.calibration)
    return " ".join(part for part in said if part)


def answers_shown(question: Question, answer: Answer | None, key: Key, table: Table) -> Shown:
    """The key, what was said, and every explanation; misconceptions in words."""
    return {
        "key": _json(key.answer),
        "did": question.said(key.answer, key),
        "said": question.said(answer, key) if answer is not None else "",
        "remarks": [
            {
                "about": remark.about,
                "text": remark.text,
                "right": remark.right,
                "chosen": remark.chosen,
                "misconception": table[remark.misconception].claim if remark.misconception else "",
                "instead": table[remark.misconception].instead if remark.misconception else "",
            }
            for remark in question.remarks(answer, key)
        ],
        "why": key.fill(question.why),
        "how": key.how,
    }


def as_text(title: str, questions: Iterable[Question], keys: Keys, hint: str) -> str:
    """The questions as plain text, without keys and without the marks of strong text."""
    lines = [title]
    asked = list(questions)
    for number, question in enumerate(asked, start=1):
        shown: Shown = question.shown(keys(question))
        prompt = textwrap.indent(_wrapped(str(shown["prompt"])), "   ")
        lines += ["", f"{number:2}" + prompt[2:] if len(asked) > 1 else prompt]
        box = "[ ]" if question.type == "multiple-choice" else "( )"
        lines += [f"     {box} {_one_line(_unmarked(option['text']))}" for option in shown.get("options", ())]
        lines += [f"     ... {_one_line(_unmarked(item['text']))}" for item in shown.get("items", ())]
        lines += [f"     {step['index']:3}  {step['text']}" for step in shown.get("steps", ())]
        if "unit" in shown:
            lines.append(f"     ____ {shown['unit']}")
    return "\n".join([*lines, "", hint])


def _wrapped(prompt: str) -> str:
    """Paragraphs at a width that fits a notebook; a ``` block as it stands."""
    parts = prompt.strip().split("\n\n")
    return "\n\n".join(part if part.startswith("```") else textwrap.fill(_unmarked(part), 88) for part in parts)


def _unmarked(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"\1", text, flags=re.DOTALL)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _actions(session: Session) -> list[Shown]:
    if not session.questions:
        return []
    if session.phase == "answering":
        return [{"name": "submit", "label": "Submit", "main": True}]
    if session.mode == "exam":
        return []
    again = {"name": "again", "label": "Start again", "main": False}
    if session.phase == "revealed":
        return [again]
    reveal = {"name": "reveal", "label": "See the answers", "main": not session.missed}
    if not session.missed:
        return [reveal, again]
    what = "the missed one" if len(session.missed) == 1 else f"the {len(session.missed)} missed"
    return [{"name": "retry", "label": f"Retry {what}", "main": True}, reveal]


def _numbers(session: Session, ids: Iterable[str]) -> str:
    order = [question.id for question in session.questions]
    numbers = [str(order.index(one) + 1) for one in ids]
    if len(numbers) == 1:
        return f"question {numbers[0]}"
    return f"questions {', '.join(numbers[:-1])} and {numbers[-1]}"


def _json(answer: Answer | None) -> str | float | list[str] | None:
    return list(answer) if isinstance(answer, tuple) else answer
