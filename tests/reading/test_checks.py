from simulator.reading import checks
from tests.reading.written import Cluster, Log, Maker, Pen, Reader, Server, Shop


def _all_well() -> Shop:
    pen = Shop()
    for place in range(3):
        order = pen.order(10 * place, f"order-{place + 1}")
        pen.acknowledged(10 * place + 2, order, place)
        pen.worked_off(10 * place + 5, order, place)
    return pen


def test_a_run_in_which_all_went_well_breaks_nothing():
    verdicts = checks.every(_all_well().trace())

    assert [verdict.check for verdict in verdicts] == [
        "at_most_once",
        "at_least_once",
        "per_key_order",
        "no_lost_acknowledged_write",
    ]
    assert all(verdict.status == "holds" and not verdict.evidence for verdict in verdicts)


def test_work_done_twice_breaks_processed_once_and_says_so_in_business_terms():
    pen = _all_well()
    order = pen.order(100, "order-17")
    first = pen.processed(110, order)
    second = pen.processed(150, order, attempt=2)
    pen.committed(151, 4)

    verdict = checks.processed_once(pen.trace(), "billing")

    assert not verdict.holds
    assert verdict.sentence == "order-17 was processed twice by billing."
    assert verdict.indexes == (first, second)


def test_a_duplicate_breaks_at_most_once_and_leaves_at_least_once_alone():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.processed(10, order)
    pen.processed(20, order, attempt=2)

    trace = pen.trace()

    assert checks.at_most_once(trace, "billing").status == "broken"
    assert checks.at_least_once(trace, "billing").status == "holds"


def test_a_loss_breaks_at_least_once_and_leaves_at_most_once_alone():
    pen = Shop(shop=Maker("shop", acks=0))
    pen.lost(10, pen.made(10, "order-1"), 1)

    trace = pen.trace()

    assert checks.at_most_once(trace, "billing").status == "holds"
    verdict = checks.at_least_once(trace, "billing")
    assert verdict.status == "broken"
    assert verdict.sentence == "order-1 never took effect at billing: it got lost on the way and nobody sends it again."
    assert [step.kind for step in verdict.evidence] == ["created", "lost"]


def test_what_is_only_not_yet_done_breaks_nothing_but_settles_nothing_either():
    pen = Shop()
    pen.made(995, "order-1")

    verdict = checks.processed_once(pen.trace(), "billing")

    assert (verdict.holds, verdict.settled, verdict.status) == (True, False, "holds so far")
    assert verdict.sentence == (
        "So far: order-1 has not taken effect at billing yet: a message about it was on its way to orders when the run ended."
    )


def test_a_verdict_counts_what_else_is_wrong():
    pen = Shop()
    for key in ("order-1", "order-2", "order-3"):
        order = pen.order(0, key)
        for attempt in (1, 2, 3):
            pen.processed(10, order, attempt=attempt)

    verdict = checks.at_most_once(pen.trace(), "billing")

    assert verdict.sentence == "order-1 was processed three times by billing (and 2 other repeats)."


def test_a_key_that_several_messages_share_is_told_with_the_messages_number():
    pen = Shop()
    pen.worked_off(5, pen.order(0, "customer-7"), 0)
    order = pen.order(10, "customer-7")
    pen.processed(20, order)
    pen.processed(30, order, attempt=2)

    verdict = checks.at_most_once(pen.trace(), "billing")

    assert verdict.sentence == f"customer-7 (message {order.id}) was processed twice by billing."


def test_recognised_repeats_are_effectively_once():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.processed(10, order)
    pen(20, "skipped", "billing", order, reason="processed before")

    assert checks.effectively_once(pen.trace(), "billing").holds


def test_an_operation_in_two_messages_is_processed_once_each_but_not_effectively_once():
    pen = Pen(Maker("customers"), Server("shop"), Server("payment"), links=[("customers", "shop"), ("shop", "payment")])
    request, charge, again = (pen.message("request", "order-17") for _ in range(3))
    pen(0, "created", "customers", request)
    for time, each in ((10, charge), (20, again)):
        started = pen(time, "started", "shop", request, worker=0)
        pen(time, "created", "shop", each, started)
        pen(time, "processed", "payment", each, attempt=1)

    trace = pen.trace()

    assert checks.processed_once(trace, "payment").holds
    verdict = checks.effectively_once(trace, "payment")
    assert not verdict.holds
    assert verdict.sentence == "order-17 was processed twice by payment."


def test_an_overtaking_within_a_key_breaks_its_order_with_both_births_and_both_effects():
    pen = Shop()
    older, newer = pen.order(0, "order-1"), pen.order(10, "order-1")
    pen.processed(20, newer)
    pen.processed(30, older)

    verdict = checks.per_key_order(pen.trace(), "billing")

    assert verdict.sentence == (
        "order-1 (message 1) was processed by billing after order-1 (message 2), which was made later."
    )
    assert [step.kind for step in verdict.evidence] == ["created", "created", "processed", "processed"]


def test_an_acknowledged_record_that_is_not_in_the_log_is_a_lost_write():
    pen = Shop()
    pen.acknowledged(5, pen.order(0, "order-1"), 0)
    lost = pen.made(10, "order-2")
    pen.acknowledged(12, lost, 1)

    verdict = checks.no_lost_acknowledged_write(pen.trace())

    assert not verdict.holds
    assert verdict.sentence == "order-2 was acknowledged, but is not in the log."
    assert [step.kind for step in verdict.evidence] == ["created", "acknowledged"]


def test_an_acknowledged_record_that_another_one_took_the_place_of_is_a_lost_write():
    pen = Shop()
    overwritten = pen.order(0, "order-1")
    pen.acknowledged(2, overwritten, 0)
    pen(20, "appended", "orders", pen.message(key="order-2"), partition=0, offset=0)

    assert not checks.no_lost_acknowledged_write(pen.trace(), "orders").holds


def test_a_record_that_was_never_acknowledged_is_no_lost_write():
    pen = Shop()
    pen.lost(0, pen.made(0, "order-1"), 1)

    assert checks.no_lost_acknowledged_write(pen.trace()).holds


def test_groups_that_know_the_same_have_converged():
    pen = Shop(Reader("billing"), Reader("email"))
    order = pen.order(0, "order-1")
    pen.worked_off(10, order, 0, "billing")
    pen.worked_off(400, order, 0, "email")

    verdict = checks.converged(pen.trace())

    assert verdict.status == "holds"
    assert verdict.sentence == "billing and email know the same 1 key."


def test_a_group_that_will_learn_of_it_has_not_converged_yet():
    pen = Shop(Reader("billing"), Reader("email"))
    pen.worked_off(10, pen.order(0, "order-1"), 0, "billing")

    verdict = checks.converged(pen.trace())

    assert verdict.status == "holds so far"
    assert verdict.sentence == "So far: email did not know of order-1 yet when the run ended, billing did."


def test_a_group_that_will_never_learn_of_it_has_not_converged():
    pen = Shop(Reader("billing"), Reader("email"))
    order = pen.order(0, "order-1")
    known = pen.processed(10, order, "billing")
    pen.fetched(10, order, 0, "email")
    pen.committed(11, 1, "email")
    pen(12, "crashed", "email")

    verdict = checks.converged(pen.trace())

    assert verdict.status == "broken"
    assert verdict.sentence == "email will never learn of order-1, which billing knows."
    assert verdict.indexes == (known,)


def test_services_converge_by_what_each_was_asked():
    pen = Pen(
        Maker("customers", request_timeout_ms=None), Server("shop"), Server("email"), Log("unused"),
        links=[("customers", "shop"), ("shop", "email")],
    )  # fmt: skip
    request = pen.message("request", "order-1")
    inner = pen.message("request", "order-1")
    other = pen.message("request", "order-2")
    pen(0, "created", "customers", request)
    pen(0, "created", "customers", other)
    pen(5, "processed", "email", inner, attempt=1)
    pen(9, "processed", "shop", request, attempt=1)
    pen(19, "processed", "shop", other, attempt=1)

    verdict = checks.converged(pen.trace())

    assert verdict.sentence == "email will never learn of order-2, which shop knows."


def test_a_verdict_shows_its_evidence_in_sentences():
    pen = Shop()
    order = pen.order(0, "order-17")
    pen.processed(10, order)
    pen.processed(20, order, attempt=2)

    lines = repr(checks.at_most_once(pen.trace(), "billing")).splitlines()

    assert lines[0] == "✗ at_most_once: order-17 was processed twice by billing."
    assert lines[2].endswith("billing processed order-17, for the 2nd time.")


def test_a_group_that_acts_on_what_is_aborted_is_told_so_with_the_marker():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)
    pen.processed(5, order)
    pen.marked(60, 7, 1, commit=False)

    verdict = checks.no_aborted_read(pen.trace(), "billing")

    assert verdict.sentence == "billing acted on order-1, whose transaction was aborted."
    assert [step.kind for step in verdict.evidence] == ["created", "processed", "marked"]


def test_a_group_that_acts_on_what_is_committed_reads_nothing_aborted():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)
    pen.processed(5, order)
    pen.marked(60, 7, 1, commit=True)

    assert checks.no_aborted_read(pen.trace(), "billing").holds
