from __future__ import annotations

import pytest

from quizzes.bank import Bank
from quizzes.keys import key_of
from quizzes.questions import Key, Question
from quizzes.session import QuizError, Session

RIGHT = {
    "00.single": "accepted",
    "00.several": ["trace", "log"],
    "00.number": "47,5",
    "00.order": ["made", "sent", "stored"],
    "00.step": 3,
}


def begin(bank: Bank, mode: str = "practice") -> Session:
    return Session.start("00", bank.chapter("00").asked, mode)  # type: ignore[arg-type]


def test_right_answers_of_every_type_are_counted(bank: Bank) -> None:
    session, records = begin(bank).submit(RIGHT, {}, key_of)

    assert (session.score.right, session.score.of) == (5, 5)
    assert session.missed == ()
    assert [record.right for record in records] == [True] * 5


def test_a_submit_gives_the_score_and_what_was_missed_but_opens_nothing(bank: Bank) -> None:
    session, _ = begin(bank).submit({**RIGHT, "00.single": "error"}, {}, key_of)

    assert session.phase == "scored"
    assert session.missed == ("00.single",)
    assert session.open == ()
    assert session.score.right == 4


def test_only_the_missed_questions_can_be_retried(bank: Bank) -> None:
    session, _ = begin(bank).submit({**RIGHT, "00.number": 40, "00.step": 2}, {}, key_of)

    again = session.retry()
    fixed, records = again.submit({"00.number": 50, "00.step": 3}, {}, key_of)

    assert again.open == ("00.number", "00.step")
    assert [(record.question, record.attempt) for record in records] == [("00.number", 2), ("00.step", 2)]
    assert fixed.score.right == 5
    assert fixed.score.first_try == 3


def test_an_answer_given_to_a_question_that_is_closed_is_left_out(bank: Bank) -> None:
    session, _ = begin(bank).submit({**RIGHT, "00.number": 40}, {}, key_of)

    fixed, records = session.retry().submit({"00.number": 50, "00.single": "error"}, {}, key_of)

    assert [record.question for record in records] == ["00.number"]
    assert fixed.score.right == 5


def test_a_blank_is_asked_about_once_and_then_counts_as_missed(bank: Bank) -> None:
    answers = {one: answer for one, answer in RIGHT.items() if one != "00.order"}

    asked, nothing = begin(bank).submit(answers, {}, key_of)
    judged, records = asked.submit(answers, {}, key_of)

    assert asked.phase == "answering"
    assert asked.complaint == "Question 4 has no answer yet. Submit again to count it as missed."
    assert nothing == ()
    assert judged.missed == ("00.order",)
    assert len(records) == 5


def test_another_blank_than_before_is_asked_about_again(bank: Bank) -> None:
    without_order = {one: answer for one, answer in RIGHT.items() if one != "00.order"}
    without_step = {one: answer for one, answer in RIGHT.items() if one != "00.step"}

    first, _ = begin(bank).submit(without_order, {}, key_of)
    second, _ = first.submit(without_step, {}, key_of)

    assert second.phase == "answering"
    assert "Question 5" in second.complaint


def test_an_entry_that_is_no_number_is_said_and_nothing_is_judged(bank: Bank) -> None:
    session, records = begin(bank).submit({**RIGHT, "00.number": "about fifty"}, {}, key_of)

    assert records == ()
    assert session.phase == "answering"
    assert session.complaint == 'Question 3: write a number, like 250; "about fifty" is none (the unit is there already).'


@pytest.mark.parametrize("entry", ["1,000", "12 000", "1'000'000"])
def test_a_number_with_a_thousands_sign_is_not_guessed_at(bank: Bank, entry: str) -> None:
    session, _ = begin(bank).submit({**RIGHT, "00.number": entry}, {}, key_of)

    assert "without a thousands sign" in session.complaint


@pytest.mark.parametrize(("entry", "right"), [(45, True), (55, True), (44.9, False), (55.1, False)])
def test_a_number_is_right_up_to_its_tolerance(bank: Bank, entry: float, right: bool) -> None:
    session, _ = begin(bank).submit({**RIGHT, "00.number": entry}, {}, key_of)

    assert session.given["00.number"].right is right


def test_all_and_only_the_right_options_make_a_multiple_choice_right(bank: Bank) -> None:
    too_few, _ = begin(bank).submit({**RIGHT, "00.several": ["log"]}, {}, key_of)
    too_many, _ = begin(bank).submit({**RIGHT, "00.several": ["log", "picture", "trace"]}, {}, key_of)

    assert too_few.missed == too_many.missed == ("00.several",)


def test_answers_are_shown_only_after_a_submit(bank: Bank) -> None:
    with pytest.raises(QuizError, match="submit your answers first"):
        begin(bank).reveal()


def test_after_the_answers_were_seen_nothing_can_be_retried(bank: Bank) -> None:
    session, _ = begin(bank).submit({**RIGHT, "00.single": "error"}, {}, key_of)

    revealed, records = session.reveal()

    assert revealed.phase == "revealed"
    assert {record.kind for record in records} == {"revealed"}
    with pytest.raises(QuizError):
        revealed.retry()


def test_an_exam_says_score_and_answers_at_once_and_has_one_try(bank: Bank) -> None:
    session, records = begin(bank, "exam").submit({**RIGHT, "00.single": "error"}, {}, key_of)

    assert session.phase == "revealed"
    assert session.score.right == 4
    assert {record.mode for record in records} == {"exam"}
    for forbidden in (session.retry, session.again):
        with pytest.raises(QuizError):
            forbidden()
    with pytest.raises(QuizError, match="submitted already"):
        session.submit(RIGHT, {}, key_of)


def test_confidence_is_set_against_the_outcome(bank: Bank) -> None:
    sure = {"00.single": "certain", "00.several": "certain", "00.number": "guess"}

    session, _ = begin(bank).submit({**RIGHT, "00.single": "error"}, sure, key_of)

    assert session.calibration == (
        "Right when certain: 1 of 2, guess: 1 of 1. Look first at what you were certain of and missed."
    )


def test_a_sitting_goes_on_where_its_records_end(bank: Bank) -> None:
    asked = bank.chapter("00").asked
    submitted, first = begin(bank).submit({**RIGHT, "00.number": 40}, {"00.number": "certain"}, key_of)
    retried, second = submitted.retry().submit({"00.number": 50}, {}, key_of)

    assert Session.resume("00", asked, first) == submitted
    assert Session.resume("00", asked, [*first, *second]) == retried
    assert Session.resume("00", asked, [*first, *second, *retried.reveal()[1]]).phase == "revealed"


def test_an_exam_that_was_taken_stays_taken_and_practice_does_not_count_for_it(bank: Bank) -> None:
    asked = bank.chapter("00").asked
    _, practised = begin(bank).submit(RIGHT, {}, key_of)
    _, taken = begin(bank, "exam").submit(RIGHT, {}, key_of)

    assert Session.resume("00", asked, practised, "exam").phase == "answering"
    assert Session.resume("00", asked, [*practised, *taken], "exam").phase == "revealed"


def test_a_question_or_confidence_that_does_not_exist_is_refused(bank: Bank) -> None:
    with pytest.raises(QuizError, match=r'no question "00\.singel" in this quiz; there are 00\.single'):
        begin(bank).submit({"00.singel": "error"}, {}, key_of)
    with pytest.raises(QuizError, match='no confidence "very"; there are guess, fairly sure, certain'):
        begin(bank).submit(RIGHT, {"00.single": "very"}, key_of)


def test_an_action_leaves_the_session_it_came_from_as_it_was(bank: Bank) -> None:
    session = begin(bank)

    session.submit(RIGHT, {}, key_of)

    assert session == begin(bank)


def test_an_empty_quiz_is_harmless() -> None:
    def no_key(question: Question) -> Key:
        raise AssertionError("nothing to judge")

    session, records = Session.start("review 01", ()).submit({}, {}, no_key)

    assert records == ()
    assert session.score.of == 0
