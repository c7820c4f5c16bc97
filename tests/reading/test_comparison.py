import pytest

from simulator.reading import Outcome, compare, divergence, outcome, tabulate
from simulator.reading.outcomes import number
from tests.reading.written import Log, Maker, Pen, Reader, Server, Shop


def _value(rows, name):
    (found,) = [row.value for row in rows if row.name == name]
    return found


def _twice(second_key="order-2", second_time=10):
    pen = Shop()
    for place, (time, key) in enumerate(((0, "order-1"), (second_time, second_key))):
        pen.worked_off(time + 5, pen.order(time, key), place)
    return pen


def test_a_run_does_not_part_from_itself():
    assert divergence(_twice().trace(), _twice().trace()) is None
    assert "The runs are the same" in repr(compare(_twice().trace(), _twice().trace()))


def test_runs_part_at_the_first_step_at_another_time():
    parted = divergence(_twice().trace(), _twice(second_time=11).trace())

    assert parted.index == 7
    assert (parted.left.time, parted.right.time) == (10, 11)
    assert repr(parted).splitlines() == [
        "The runs part at step 7.",
        "  this run: 10.0 ms: shop made order-2 (OrderCreated).",
        "  that run: 11.0 ms: shop made order-2 (OrderCreated).",
    ]


def test_runs_part_where_a_message_is_another_although_its_number_is_the_same():
    parted = divergence(_twice().trace(), _twice(second_key="order-9").trace())

    assert (parted.left.message.key, parted.right.message.key) == ("order-2", "order-9")


def test_runs_part_where_a_shared_value_is_another_although_its_number_is_the_same():
    def one(reason):
        pen = Shop()
        pen.lost(5, pen.made(0, "order-1"), 1, reason)
        return pen.trace()

    parted = divergence(one("Drop"), one("Cut"))

    assert (parted.left["reason"], parted.right["reason"]) == ("Drop", "Cut")


def test_runs_part_where_only_the_payload_is_another():
    def one(payload):
        pen = Shop()
        pen(0, "created", "shop", pen.message(key="order-1", payload=payload))
        return pen.trace()

    assert divergence(one(1), one(2)).index == 0
    assert divergence(one(1), one(1)) is None


def test_another_node_alone_makes_no_difference_before_it_does_anything():
    def one(*readers):
        pen = Shop(*readers)
        pen.worked_off(5, pen.order(0, "order-1"), 0)
        return pen

    alone, together = one(Reader("billing")), one(Reader("email"), Reader("billing"))
    together(50, "crashed", "email")

    parted = divergence(alone.trace(), together.trace())

    assert parted.left is None
    assert parted.right.kind == "crashed"
    assert "this run: nothing more happened" in repr(parted)


def test_the_outcome_of_a_log_tells_of_clients_readers_and_the_wire():
    pen = Shop()
    for place in range(2):
        order = pen.order(10 * place, f"order-{place}")
        pen.acknowledged(10 * place + 4, order, place)
        pen.worked_off(10 * place + 5, order, place)
    pen.processed(80, order, attempt=2)

    rows = outcome(pen.trace())

    assert _value(rows, "made by clients") == 2
    assert _value(rows, "answered") == 100
    assert _value(rows, "latency p50") == 4
    assert _value(rows, "processed twice") == 1
    assert _value(rows, "lost") == 0
    assert _value(rows, "largest lag") == 1
    assert _value(rows, "lag at the end") == 0
    assert _value(rows, "end to end p99") == 5
    assert _value(rows, "messages on the wire") == 2


def test_the_outcome_of_requests_has_no_lag():
    pen = Pen(Maker("customers"), Server("shop"), links=[("customers", "shop")])
    request = pen.message("request", "order-1")
    pen(0, "created", "customers", request)
    pen(5, "processed", "shop", request, attempt=1)
    pen(9, "completed", "customers", request, attempts=1, source="shop")

    names = [row.name for row in outcome(pen.trace())]

    assert "latency p50" in names
    assert not any("lag" in name for name in names)


def test_the_outcome_of_several_groups_is_their_sum_and_each_of_them_where_wanted():
    pen = Shop(Reader("billing"), Reader("email"))
    order = pen.order(0, "order-1")
    pen.worked_off(10, order, 0, "billing")
    pen.worked_off(30, order, 0, "email")
    pen.processed(40, order, "email", attempt=2)

    trace = pen.trace()

    assert _value(outcome(trace), "processed twice") == 1
    assert _value(outcome(trace), "until everybody knows p50") == 30
    assert _value(outcome(trace, each=True), "processed twice, billing") == 0
    assert _value(outcome(trace, each=True), "end to end, email, p50") == 30


def test_the_outcome_of_nothing_is_a_silent_wire():
    assert outcome(Pen(Log("orders"), links=[]).trace()) == [Outcome("messages on the wire", 0, "", "lower")]


def test_a_table_shows_both_runs_and_the_difference_in_columns():
    table = tabulate(
        [Outcome("latency p50", 12.34, "ms", "lower"), Outcome("lost", 2, "", "lower")],
        [Outcome("latency p50", 10.0, "ms", "lower"), Outcome("answered", 1_000, "", "higher")],
        names=("was", "now"),
    )

    assert repr(table).splitlines() == [
        "measure            was    now     Δ",
        "latency p50 (ms)  12.3     10  -2.3",
        "lost                 2      –     –",
        "answered             –  1,000     –",
    ]
    assert [row.judgement for row in table.rows] == ["better", None, None]


@pytest.mark.parametrize(
    ("left", "right", "better", "wanted"),
    [(1, 2, "higher", "better"), (1, 2, "lower", "worse"), (2, 2, "lower", "same"), (1, 2, None, None)],
)
def test_a_difference_is_judged_by_which_way_is_better(left, right, better, wanted):
    (row,) = tabulate([Outcome("x", left, "", better)], [Outcome("x", right, "", better)]).rows

    assert row.judgement == wanted


@pytest.mark.parametrize(
    ("value", "signed", "wanted"),
    [
        (None, False, "–"),
        (0, True, "0"),
        (3.04, False, "3"),
        (1234.56, False, "1,234.6"),
        (5, True, "+5"),
        (-0.25, True, "-0.2"),
    ],
)
def test_numbers_are_short(value, signed, wanted):
    assert number(value, signed=signed) == wanted
