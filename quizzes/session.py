"""One sitting of a quiz as a value: submit, score without the key, retry the missed, see the answers.

Every action returns a new session and changes nothing else, so a widget can hold one behind a lock, and a
test needs no widget. In practice mode a submit gives the score and which questions are not right yet, but
never the key; the learner then retries those, or asks for the answers. In exam mode nothing is said before
the end: one submit, no retry, then score and answers together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from attrs import evolve, field, frozen

from quizzes.progress import Record
from quizzes.questions import Answer, AnswerError, Key, Question
from quizzes.score import CONFIDENCES, Score, calibration

Mode = Literal["practice", "exam"]
Phase = Literal["answering", "scored", "revealed"]
Keys = Callable[[Question], Key]


class QuizError(ValueError):
    """An action that is not possible now; the text says which are."""


@frozen
class Given:
    """One judged answer; `answer` is None for a question left blank, which counts as missed."""

    answer: Answer | None
    right: bool
    confidence: str = ""
    attempt: int = 1
    first_right: bool = False


@frozen(kw_only=True)
class Session:
    """Where a learner stands in a quiz. `open` are the questions that can be answered now, by id."""

    name: str
    questions: tuple[Question, ...]
    mode: Mode = "practice"
    phase: Phase = "answering"
    given: Mapping[str, Given] = field(factory=dict)
    open: tuple[str, ...] = ()
    complaint: str = ""
    blanks: tuple[str, ...] = ()
    """The questions the last submit left blank, which the next one may leave blank again."""

    @classmethod
    def start(cls, name: str, questions: Iterable[Question], mode: Mode = "practice") -> Session:
        """A new sitting with all questions open."""
        asked = tuple(questions)
        if mode not in ("practice", "exam"):
            raise QuizError(f'there is no mode "{mode}"; there are "practice" and "exam"')
        return cls(name=name, questions=asked, mode=mode, open=tuple(question.id for question in asked))

    @classmethod
    def resume(cls, name: str, questions: Iterable[Question], records: Iterable[Record], mode: Mode = "practice") -> Session:
        """The sitting these records (oldest first) tell of: where the learner left it, in this mode."""
        session = cls.start(name, questions, mode)
        asked = {question.id for question in session.questions}
        given: dict[str, Given] = {}
        revealed = False
        for record in records:
            if record.question not in asked or record.quiz != name or record.mode != mode:
                continue
            if record.kind == "revealed":
                revealed = True
            if record.kind == "answered":
                revealed = False
                first = given[record.question].first_right if record.question in given else bool(record.right)
                given[record.question] = Given(record.answer, bool(record.right), record.confidence, record.attempt, first)
        # A question added to the chapter since then leaves the sitting unfinished: it starts anew.
        if not asked or given.keys() != asked:
            return session
        return evolve(session, given=given, open=(), phase="revealed" if revealed or mode == "exam" else "scored")

    @property
    def score(self) -> Score:
        """How many of the questions are right so far."""
        return Score(
            right=sum(given.right for given in self.given.values()),
            of=len(self.questions),
            answered=len(self.given),
            first_try=sum(given.first_right for given in self.given.values()),
        )

    @property
    def missed(self) -> tuple[str, ...]:
        """The judged questions that are not right, by id, in the quiz's order."""
        return tuple(q.id for q in self.questions if q.id in self.given and not self.given[q.id].right)

    @property
    def calibration(self) -> str:
        """How well the learner's confidence fits the outcome, in a sentence."""
        return calibration((given.confidence, given.right) for given in self.given.values())

    def submit(
        self, answers: Mapping[str, object], confidences: Mapping[str, str], keys: Keys
    ) -> tuple[Session, tuple[Record, ...]]:
        """Judge the open questions; returns the session and what to record.

        Nothing is judged, and `complaint` says why, when an entry cannot be an answer, or when a question
        is blank for the first time: a second submit counts blanks as missed. Raises `QuizError` for a
        question that is not part of the quiz, and when nothing is open.
        """
        if self.phase != "answering":
            raise QuizError("this quiz is submitted already; retry what was missed, or start again")
        self._refuse_unknown(answers)
        read, faults = self._read(answers)
        blanks = tuple(one for one in self.open if one not in read and one not in faults)
        if faults:
            said = " ".join(f"Question {self._number(one)}: {fault}." for one, fault in faults.items())
            return evolve(self, complaint=said, blanks=()), ()
        if blanks and not set(blanks) <= set(self.blanks):
            return evolve(self, complaint=self._ask_about(blanks), blanks=blanks), ()
        given = dict(self.given)
        records = []
        for question in self._open_questions():
            record = self._judge(question, read.get(question.id), confidences.get(question.id, ""), keys)
            before = given.get(question.id)
            right = bool(record.right)
            given[question.id] = Given(
                record.answer,
                right,
                record.confidence,
                record.attempt,
                before.first_right if before else right,
            )
            records.append(record)
        phase: Phase = "revealed" if self.mode == "exam" else "scored"
        judged = evolve(self, given=given, open=(), phase=phase, complaint="", blanks=())
        return judged, tuple(records)

    def retry(self) -> Session:
        """Open the missed questions again."""
        if self.mode == "exam":
            raise QuizError("an exam has no second try")
        if self.phase != "scored" or not self.missed:
            raise QuizError("there is nothing to retry: submit first, and miss something")
        return evolve(self, phase="answering", open=self.missed, complaint="", blanks=())

    def reveal(self) -> tuple[Session, tuple[Record, ...]]:
        """Show the answers; returns the session and what to record."""
        if self.phase != "scored":
            raise QuizError("submit your answers first")
        records = tuple(
            Record(question=question.id, kind="revealed", quiz=self.name, mode=self.mode) for question in self.questions
        )
        return evolve(self, phase="revealed", complaint=""), records

    def again(self) -> Session:
        """A new sitting with all questions open."""
        if self.mode == "exam" and self.phase != "answering":
            raise QuizError("an exam is taken once; reset the chapter to take it again, or practise")
        return Session.start(self.name, self.questions, self.mode)

    def _open_questions(self) -> list[Question]:
        return [question for question in self.questions if question.id in self.open]

    def _number(self, one: str) -> int:
        return [question.id for question in self.questions].index(one) + 1

    def _refuse_unknown(self, answers: Mapping[str, object]) -> None:
        known = [question.id for question in self.questions]
        unknown = [one for one in answers if one not in known]
        if unknown:
            raise QuizError(f'there is no question "{unknown[0]}" in this quiz; there are {", ".join(known)}')

    def _read(self, answers: Mapping[str, object]) -> tuple[dict[str, Answer], dict[str, str]]:
        read: dict[str, Answer] = {}
        faults: dict[str, str] = {}
        for question in self._open_questions():
            try:
                answer = question.read(answers.get(question.id))
            except AnswerError as error:
                faults[question.id] = str(error)
            else:
                if answer is not None:
                    read[question.id] = answer
        return read, faults

    def _judge(self, question: Question, answer: Answer | None, confidence: str, keys: Keys) -> Record:
        if confidence and confidence not in CONFIDENCES:
            raise QuizError(f'there is no confidence "{confidence}"; there are {", ".join(CONFIDENCES)}')
        before = self.given.get(question.id)
        return Record(
            question=question.id,
            kind="answered",
            quiz=self.name,
            answer=answer,
            confidence=confidence,
            right=answer is not None and question.right(answer, keys(question)),
            attempt=before.attempt + 1 if before else 1,
            mode=self.mode,
        )

    def _ask_about(self, blanks: tuple[str, ...]) -> str:
        numbers = [str(self._number(one)) for one in blanks]
        if len(numbers) == 1:
            return f"Question {numbers[0]} has no answer yet. Submit again to count it as missed."
        listed = ", ".join(numbers[:-1]) + " and " + numbers[-1]
        return f"Questions {listed} have no answer yet. Submit again to count them as missed."
