from __future__ import annotations

from pathlib import Path

import pytest

from quizzes.bank import Bank, BankError, read_bank
from quizzes.keys import key_function, key_of
from quizzes.questions import FindTheStep, Key, Numeric, Prediction, PutInOrder
from tests.quizzes.toy import CHAPTER, MISCONCEPTIONS, write_bank


def faults(folder: Path, chapter: str = CHAPTER, misconceptions: str = MISCONCEPTIONS) -> tuple[str, ...]:
    with pytest.raises(BankError) as refused:
        read_bank(write_bank(folder, chapter, misconceptions))
    return refused.value.problems


def changed(old: str, new: str) -> str:
    assert CHAPTER.count(old) >= 1
    return CHAPTER.replace(old, new, 1)


def test_a_file_with_every_type_of_question_is_read(bank: Bank) -> None:
    kinds = [type(question) for question in bank]

    assert {Numeric, PutInOrder, FindTheStep, Prediction} <= set(kinds)
    assert len(bank.chapter("00").asked) == 5


def test_all_faults_of_all_files_are_said_at_once_with_file_question_and_field(tmp_path: Path) -> None:
    (tmp_path / "01-broken.toml").write_text("chapter = ", encoding="utf-8")
    chapter = changed('unit = "ms"\ntolerance = 5', 'tolerance = "5"').replace('key = ["log", "trace"]', 'key = ["logs"]')

    problems = faults(tmp_path, chapter)

    assert problems == (
        '00-toy.toml, question "00.several", field key: is "logs", which is no option; the options are log, picture, trace',
        '00-toy.toml, question "00.number", field unit: is missing',
        "00-toy.toml, question \"00.number\", field tolerance: is '5'; it must be a number without quotes",
        "01-broken.toml: is not valid TOML: Invalid value (at end of document)",
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('type = "numeric"', 'type = "number"', "field type: is 'number'; it must be one of single-choice"),
        ('type = "numeric"', "", "field type: is missing; it must be one of single-choice"),
        ('because = "It is a log."', "", "field options[1].because: is missing"),
        ('because = "It is a log."', 'because = " "', "field options.because: is empty; everything one can answer"),
        ('because = "It is a log."', 'because = "x"\nhint = "y"', "field options[1].hint: is unknown here; Option has id"),
        ('misconception = "picture-is-system"', "", "field options.picture.misconception: is missing; the option is wrong"),
        (
            'misconception = "picture-is-system"',
            'misconception = "picture"',
            'field options.misconception: is "picture", which is not in misconceptions.toml',
        ),
        ('id = "log"', 'id = "trace"', 'field options: the id "trace" is used twice'),
        ('id = "00.several"', 'id = "several"', 'field id: must be "00." and a name in small letters'),
        ("tolerance = 5", "tolerance = -5", "field tolerance: is -5; it must be 0 or more"),
        ('key = ["made", "sent", "stored"]', 'key = ["made", "sent"]', "it must list every item once: stored, made, sent"),
        ('key = ["made", "sent", "stored"]', 'key = ["stored", "made", "sent"]', "stand in the right order already"),
        ('then = "sent"', 'then = "shipped"', 'field wrong: names "shipped", which is no item'),
        ('key = "computed:toy_step"', "key = 3", 'field key: must be "computed:NAME"; the step is found in a run'),
        ('prompt = "Which of these hold?"', "prompt = 5", "field prompt: is 5; it must be text in quotes"),
    ],
)
def test_a_fault_is_said_in_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    problems = faults(tmp_path, changed(old, new))

    assert any(said in problem for problem in problems), problems
    assert all(problem.startswith("00-toy.toml, question") for problem in problems)


def test_a_key_that_has_a_misconception_contradicts_itself(tmp_path: Path) -> None:
    problems = faults(tmp_path, changed('key = ["log", "trace"]', 'key = ["log", "picture", "trace"]'))

    assert "stands on a right option; only a wrong one has a misconception" in problems[0]


def test_an_id_used_in_two_files_names_both(tmp_path: Path) -> None:
    (tmp_path / "01-other.toml").write_text(CHAPTER, encoding="utf-8")

    problems = faults(tmp_path)

    assert problems == ('01-other.toml, field chapter: "00" is the chapter of 00-toy.toml already',)


def test_a_missing_table_of_misconceptions_is_said(tmp_path: Path) -> None:
    (tmp_path / "00-toy.toml").write_text(CHAPTER, encoding="utf-8")

    with pytest.raises(BankError, match=r"misconceptions\.toml: is missing"):
        read_bank(tmp_path)


def test_an_unknown_chapter_or_question_is_refused_with_those_there_are(bank: Bank) -> None:
    with pytest.raises(LookupError, match='no questions for chapter "7"; there are chapters "00"'):
        bank.chapter("7")
    with pytest.raises(LookupError, match=r'no question "00\.nope"; chapter 00 has 00\.single'):
        bank.question("00.nope")


def test_facts_of_the_run_stand_in_the_texts(bank: Bank) -> None:
    question = bank.question("00.single")

    shown = question.shown(key_of(question))

    assert shown["options"][1]["text"] == "The order is accepted after 12 ms"  # type: ignore[index]


def test_a_key_function_that_does_not_exist_is_named(tmp_path: Path) -> None:
    bank = read_bank(write_bank(tmp_path, changed("computed:toy_outcome", "computed:toy_outcom")))

    with pytest.raises(LookupError, match=r'question "00\.single": there is no key function "toy_outcom"; there are'):
        key_of(bank.question("00.single"))


def test_a_run_that_no_longer_fits_its_question_is_refused(tmp_path: Path) -> None:
    @key_function
    def toy_changed() -> Key:
        """A toy, not a run."""
        return Key("lost")

    bank = read_bank(write_bank(tmp_path, changed("computed:toy_outcome", "computed:toy_changed")))

    with pytest.raises(ValueError, match=r'"00\.single" does not fit its run: .*which the key function does not give'):
        key_of(bank.question("00.single"))


def test_a_run_is_made_once_for_all_who_ask(tmp_path: Path) -> None:
    runs = []

    @key_function
    def toy_counted() -> Key:
        """A toy, not a run."""
        runs.append(1)
        return Key("accepted", facts={"took": 12})

    bank = read_bank(write_bank(tmp_path, CHAPTER.replace("computed:toy_outcome", "computed:toy_counted")))

    key_of(bank.question("00.single"))
    key_of(bank.question("00.guess"))

    assert runs == [1]


def test_a_telling_wrong_number_gets_its_own_explanation(bank: Bank) -> None:
    question = bank.question("00.number")

    right, slip = question.remarks(40.0, key_of(question))

    assert (right.about, right.chosen) == ("50 ms", False)
    assert (slip.about, slip.chosen, slip.text) == ("40 ms", True, "That counts one leg only.")


def test_a_telling_wrong_order_gets_its_own_explanation(bank: Bank) -> None:
    question = bank.question("00.order")

    first, *places = question.remarks(("stored", "made", "sent"), key_of(question))

    assert first.text == "It cannot be stored before it was sent."
    assert places[0].about == "1. The order is created"


def test_a_wrong_step_is_explained_by_its_kind_or_else_in_general(bank: Bank) -> None:
    question = bank.question("00.step")

    appended, _ = question.remarks(2, key_of(question))
    created, _ = question.remarks(0, key_of(question))

    assert appended.text == "The topic knows; the producer does not yet."
    assert created.text == "This step happens elsewhere."
