"""Written scripts on our broker and on a real RabbitMQ server: every mechanism once, the same to be seen of both."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.rabbitmq_twin import Twin, twin

pytestmark = pytest.mark.conformance

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])
TO_DEAD = {"dead_letter_exchange": "", "dead_letter_routing_key": "dead"}


@pytest.fixture
def brokers(rabbitmq):
    with twin(rabbitmq) as both:
        yield both


def queue(brokers: Twin, name: str = "work", kind: str = "classic", **settings: Any) -> None:
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in settings.items()}
    if kind == "quorum":
        arguments["x-queue-type"] = "quorum"
    brokers.do("shop/1", "queue_declare", queue=name, durable=True, arguments=arguments)


def publish(brokers: Twin, *bodies: str, to: str = "work", **properties: Any) -> list[Any]:
    return [brokers.do("shop/1", "basic_publish", exchange="", routing_key=to, body=body, **properties) for body in bodies]


def consume(brokers: Twin, channel: str, prefetch_count: int = 0, **settings: Any) -> None:
    brokers.do(channel, "basic_qos", prefetch_count=prefetch_count)
    brokers.do(channel, "basic_consume", queue="work", consumer_tag=f"tag of {channel}", **settings)


def get(brokers: Twin, times: int = 1, *, channel: str = "reader/1", name: str = "work") -> list[str]:
    found = [brokers.do(channel, "basic_get", queue=name) for _ in range(times)]
    return [answer[2].body for answer in found if answer is not None]


def test_the_server_is_one_that_the_answers_are_known_of(rabbitmq):
    assert rabbitmq.version.startswith("3.")


@KINDS
def test_consumers_take_turns_as_far_as_their_prefetch_allows(brokers, kind):
    queue(brokers, kind=kind)
    for channel, prefetch_count in (("one/1", 1), ("two/1", 2), ("three/1", 0)):
        consume(brokers, channel, prefetch_count)

    publish(brokers, *"1234567")
    brokers.do("one/1", "basic_ack", delivery_tag=1)
    publish(brokers, *"89")
    brokers.do("two/1", "basic_ack", delivery_tag=2, multiple=True)
    publish(brokers, *"abcdef")

    assert brokers.bodies("one/1")[0] == "1"


def test_a_global_prefetch_count_holds_for_a_channel_as_a_whole(brokers):
    queue(brokers)
    brokers.do("one/1", "basic_qos", prefetch_count=2)
    brokers.do("one/1", "basic_qos", prefetch_count=3, global_qos=True)
    for tag in ("first", "second"):
        brokers.do("one/1", "basic_consume", queue="work", consumer_tag=tag)
    publish(brokers, *"123456")

    before = brokers.bodies("one/1")
    brokers.do("one/1", "basic_ack", delivery_tag=2, multiple=True)

    assert before == ["1", "2", "3"]
    assert len(brokers.bodies("one/1")) == 5


def test_a_quorum_queue_knows_no_global_prefetch_count(brokers):
    queue(brokers, kind="quorum")
    brokers.do("one/1", "basic_qos", prefetch_count=3, global_qos=True)

    answer = brokers.do("one/1", "basic_consume", queue="work", consumer_tag="first")

    assert answer == ("refused", "NOT_IMPLEMENTED", 540)


def test_what_is_requeued_in_a_classic_queue_goes_where_it_was(brokers):
    queue(brokers)
    publish(brokers, *"12345")
    get(brokers, 3)

    brokers.do("reader/1", "basic_nack", delivery_tag=3)
    brokers.do("reader/1", "basic_nack", delivery_tag=1)

    assert get(brokers, 4, channel="other/1") == ["1", "3", "4", "5"]


@pytest.mark.parametrize(("settings", "order"), [({}, "4531"), ({"delivery_limit": 5}, "3145")], ids=["no limit", "a limit"])
def test_what_is_requeued_in_a_quorum_queue_goes_to_the_back_or_with_a_limit_to_the_front(brokers, settings, order):
    queue(brokers, kind="quorum", **settings)
    publish(brokers, *"12345")
    get(brokers, 3)

    brokers.do("reader/1", "basic_nack", delivery_tag=3)
    brokers.do("reader/1", "basic_nack", delivery_tag=1)

    assert "".join(get(brokers, 4, channel="other/1")) == order


@KINDS
def test_what_a_closed_channel_held_comes_back_in_order_and_is_redelivered(brokers, kind):
    queue(brokers, kind=kind)
    publish(brokers, *"1234")
    consume(brokers, "one/1", prefetch_count=3)

    brokers.close("one/1")
    consume(brokers, "two/1")

    assert [(event[-1].body, event[2]) for event in brokers.events("two/1")] == [
        ("1", True), ("2", True), ("3", True), ("4", False),
    ]  # fmt: skip


def test_recovering_gives_back_all_that_a_channel_holds(brokers):
    queue(brokers)
    publish(brokers, *"123")
    get(brokers, 2)

    brokers.do("reader/1", "basic_recover")

    assert get(brokers, 3, channel="other/1") == ["1", "2", "3"]


def test_a_delivery_limit_ends_a_poison_loop_with_a_dead_letter(brokers):
    queue(brokers, "dead")
    queue(brokers, kind="quorum", delivery_limit=2, **TO_DEAD)
    publish(brokers, "poison")

    for tag in (1, 2, 3):
        get(brokers)
        brokers.do("reader/1", "basic_nack", delivery_tag=tag)

    answer = brokers.do("reader/1", "basic_get", queue="dead")
    assert answer[2].headers["x-first-death-reason"] == "delivery_limit"


@KINDS
@pytest.mark.parametrize("setting", ["message_ttl", "max_length"])
def test_nothing_lasts_in_a_queue_of_zero_but_a_waiting_consumer_gets_it(brokers, kind, setting):
    queue(brokers, kind=kind, **{setting: 0})
    consume(brokers, "one/1")

    publish(brokers, "straight on")
    brokers.do("one/1", "basic_cancel", consumer_tag="tag of one/1")
    publish(brokers, "nobody there")

    assert brokers.bodies("one/1") == ["straight on"]


@KINDS
def test_a_message_expires_only_at_the_head(brokers, kind):
    queue(brokers, "dead")
    queue(brokers, kind=kind, **TO_DEAD)
    publish(brokers, "long", expiration="600000")
    publish(brokers, "short", expiration="0")

    before = get(brokers, name="dead")
    get(brokers)

    assert (before, get(brokers, name="dead")) == ([], ["short"])


def test_of_two_times_to_live_the_shorter_counts(brokers):
    queue(brokers, message_ttl=50)
    publish(brokers, "its own is long", expiration="600000")

    brokers.wait(5_000)

    assert get(brokers) == []


def test_a_full_queue_drops_its_oldest_message(brokers):
    queue(brokers, "dead")
    queue(brokers, max_length=2, **TO_DEAD)

    publish(brokers, *"123")

    assert get(brokers, name="dead") == ["1"]


def test_a_full_queue_counts_bytes_too(brokers):
    queue(brokers, max_length_bytes=10)

    publish(brokers, "four", "five!", "six!!!", "much too long for it")

    assert get(brokers, 2) == []


@KINDS
def test_a_full_queue_refuses_what_is_published(brokers, kind):
    queue(brokers, kind=kind, max_length=2, overflow="reject-publish")
    brokers.do("shop/1", "confirm_select")

    confirms = publish(brokers, *"12345")
    get(brokers)
    confirms += publish(brokers, "6")
    brokers.do("reader/1", "basic_ack", delivery_tag=1)
    confirms += publish(brokers, "7")

    assert confirms.count(["ack"]) in (3, 4)
    assert ["nack"] in confirms


def test_what_a_full_queue_refuses_can_be_a_dead_letter(brokers):
    queue(brokers, "dead")
    queue(brokers, max_length=1, overflow="reject-publish-dlx", **TO_DEAD)
    brokers.do("shop/1", "confirm_select")

    confirms = publish(brokers, *"123")

    assert confirms == [["ack"], ["nack"], ["nack"]]


def test_priorities_go_first_and_are_first_to_be_dropped(brokers):
    queue(brokers, max_priority=5, max_length=4)
    for body, priority in zip("012345", (None, 3, 9, 3, 0, 5), strict=True):
        publish(brokers, body, priority=priority)

    first = get(brokers, 3)
    brokers.close("reader/1")

    assert get(brokers, 5, channel="other/1")[:3] == first


def test_dead_letters_tell_their_history(brokers):
    queue(brokers, "dead", message_ttl=50, dead_letter_exchange="", dead_letter_routing_key="work")
    queue(brokers, **TO_DEAD)
    publish(brokers, "again and again", expiration="600000", headers={"tenant": "a"})

    for tag in (1, 2):
        get(brokers)
        brokers.do("reader/1", "basic_reject", delivery_tag=tag, requeue=False)
        brokers.wait(5_000)
    message = brokers.do("reader/1", "basic_get", queue="work")[2]

    assert [(death["queue"], death["reason"], death["count"]) for death in message.headers["x-death"]] == [
        ("dead", "expired", 2), ("work", "rejected", 2),
    ]  # fmt: skip


def test_dead_letters_that_nobody_rejected_do_not_go_round_in_circles(brokers):
    queue(brokers, "dead", message_ttl=50, dead_letter_exchange="", dead_letter_routing_key="work")
    queue(brokers, message_ttl=50, **TO_DEAD)

    publish(brokers, "round")
    brokers.wait(5_000)

    assert get(brokers) + get(brokers, name="dead") == []


def test_a_dead_letter_without_a_routing_key_of_its_own_keeps_the_message_s(brokers):
    brokers.do("shop/1", "exchange_declare", exchange="graveyard", exchange_type="topic")
    queue(brokers, "dead")
    brokers.do("shop/1", "queue_bind", queue="dead", exchange="graveyard", routing_key="wo*")
    brokers.do("shop/1", "queue_bind", queue="dead", exchange="graveyard", routing_key="work")
    queue(brokers, dead_letter_exchange="graveyard")
    publish(brokers, *"12")

    get(brokers, 2)
    brokers.do("reader/1", "basic_nack", delivery_tag=2, multiple=True, requeue=False)

    assert get(brokers, 2, name="dead") == ["1", "2"]


def test_dead_letters_to_an_exchange_that_is_not_there_are_gone(brokers):
    queue(brokers, dead_letter_exchange="nowhere")
    publish(brokers, "1")

    get(brokers)
    brokers.do("reader/1", "basic_reject", delivery_tag=1, requeue=False)

    assert get(brokers) == []


@KINDS
def test_a_single_active_consumer_gets_all_until_the_next_takes_over(brokers, kind):
    queue(brokers, kind=kind, single_active_consumer=True)
    for channel in ("one/1", "two/1", "three/1"):
        consume(brokers, channel, prefetch_count=1)
    publish(brokers, *"123")

    brokers.do("one/1", "basic_ack", delivery_tag=1)
    brokers.close("one/1")
    brokers.do("three/1", "basic_cancel", consumer_tag="tag of three/1")
    brokers.do("two/1", "basic_cancel", consumer_tag="tag of two/1")
    brokers.do("two/1", "basic_ack", delivery_tag=1)

    assert brokers.bodies("three/1") == []


@KINDS
def test_getting_from_a_queue_with_a_single_active_consumer(brokers, kind):
    queue(brokers, kind=kind, single_active_consumer=True)
    publish(brokers, "1")

    answer = brokers.do("reader/1", "basic_get", queue="work")

    assert ("RESOURCE_LOCKED" in answer) == (kind == "quorum")


def test_an_exclusive_consumer_shares_its_queue_with_nobody(brokers):
    queue(brokers)
    consume(brokers, "one/1", exclusive=True)

    answer = brokers.do("two/1", "basic_consume", queue="work", consumer_tag="second")

    assert answer == ("refused", "ACCESS_REFUSED", 403)
    assert brokers.do("two/1", "basic_get", queue="work") is None
    brokers.close("one/1")
    consume(brokers, "two/1")
    brokers.do("one/1", "basic_consume", queue="work", consumer_tag="first", exclusive=True)


def test_an_exclusive_queue_is_its_connection_s_alone_and_goes_with_it(brokers):
    brokers.do("one/1", "queue_declare", queue="own", exclusive=True)
    publish(brokers, "1", to="own")

    answer = brokers.do("two/1", "basic_get", queue="own")
    brokers.do("one/2", "basic_get", queue="own")
    brokers.close_connection("one")

    assert answer == ("refused", "RESOURCE_LOCKED", 405)
    assert brokers.do("two/1", "basic_get", queue="own") == ("refused", "NOT_FOUND", 404)


def test_an_auto_delete_queue_goes_with_its_last_consumer(brokers):
    brokers.do("shop/1", "queue_declare", queue="work", auto_delete=True)
    publish(brokers, "1")
    consume(brokers, "one/1")
    consume(brokers, "one/2")

    brokers.do("one/1", "basic_cancel", consumer_tag="tag of one/1")
    brokers.close("one/2")
    brokers.do("one/1", "basic_ack", delivery_tag=1)

    assert brokers.do("two/1", "basic_get", queue="work") == ("refused", "NOT_FOUND", 404)


def test_an_auto_delete_exchange_goes_with_its_last_binding(brokers):
    for name in ("one", "two"):
        brokers.do("shop/1", "exchange_declare", exchange=name, exchange_type="fanout", auto_delete=True)
    queue(brokers)
    brokers.do("shop/1", "exchange_bind", source="one", destination="two")
    brokers.do("shop/1", "queue_bind", queue="work", exchange="two")

    brokers.do("shop/1", "queue_delete", queue="work")

    assert brokers.do("shop/1", "exchange_declare", exchange="one", passive=True) == ("refused", "NOT_FOUND", 404)


def test_a_queue_that_nobody_uses_expires(brokers):
    queue(brokers, expires=500)
    brokers.do("shop/1", "exchange_declare", exchange="goes with it", exchange_type="fanout", auto_delete=True)
    brokers.do("shop/1", "queue_bind", queue="work", exchange="goes with it")
    publish(brokers, "no use of it")

    brokers.theirs.until_exchange_is_gone("goes with it")
    brokers.wait(5_000)

    assert brokers.do("reader/1", "basic_get", queue="work") == ("refused", "NOT_FOUND", 404)


def test_a_deleted_queue_cancels_its_consumers(brokers):
    queue(brokers)
    publish(brokers, *"12")
    consume(brokers, "one/1", prefetch_count=1)

    deleted = brokers.do("shop/1", "queue_delete", queue="work")
    queue(brokers)
    brokers.do("one/1", "basic_nack", delivery_tag=1)

    assert deleted == 1
    assert brokers.events("one/1")[-1] == ("cancelled", "tag of one/1")


def test_a_mandatory_message_that_no_queue_gets_is_returned_and_confirmed(brokers):
    brokers.do("shop/1", "confirm_select")

    answers = [publish(brokers, "1", mandatory=True), publish(brokers, "2", mandatory=False)]

    assert answers == [[["ack"]], [["ack"]]]
    assert [event[0] for event in brokers.events("shop/1")] == ["returned"]


def test_an_internal_exchange_is_published_to_only_through_another(brokers):
    brokers.do("shop/1", "exchange_declare", exchange="inner", exchange_type="fanout", internal=True)
    brokers.do("shop/1", "exchange_declare", exchange="outer", exchange_type="fanout")
    brokers.do("shop/1", "exchange_bind", destination="inner", source="outer")
    queue(brokers)
    brokers.do("shop/1", "queue_bind", queue="work", exchange="inner")

    refused = brokers.do("shop/1", "basic_publish", exchange="inner", routing_key="", body="1")
    brokers.do("shop/1", "basic_publish", exchange="outer", routing_key="", body="2")

    assert refused == ("refused", "ACCESS_REFUSED", 403)
    assert get(brokers) == ["2"]


def test_purging_and_conditional_deletes(brokers):
    queue(brokers)
    publish(brokers, *"123")
    consume(brokers, "one/1", prefetch_count=1)

    brokers.do("shop/1", "queue_delete", queue="work", if_unused=True)
    brokers.do("shop/1", "queue_delete", queue="work", if_empty=True)
    purged = brokers.do("shop/1", "queue_purge", queue="work")
    brokers.do("one/1", "basic_nack", delivery_tag=1)
    brokers.do("shop/1", "exchange_declare", exchange="used", exchange_type="direct")
    brokers.do("shop/1", "queue_bind", queue="work", exchange="used", routing_key="key")
    refused = brokers.do("shop/1", "exchange_delete", exchange="used", if_unused=True)

    assert purged == 2
    assert refused == ("refused", "PRECONDITION_FAILED", 406)


def test_what_outlives_a_restart(brokers):
    queue(brokers, "dead")
    queue(brokers)
    queue(brokers, "quorum", kind="quorum")
    queue(brokers, "aging", message_ttl=1_000_000, max_priority=3)
    brokers.do("shop/1", "queue_declare", queue="transient")
    brokers.do("shop/1", "queue_declare", queue="own", durable=True, exclusive=True)
    for name, durable in (("lasting", True), ("passing", False)):
        brokers.do("shop/1", "exchange_declare", exchange=name, exchange_type="direct", durable=durable)
    for exchange, name in (("lasting", "work"), ("lasting", "transient"), ("passing", "work"), ("amq.direct", "work")):
        brokers.do("shop/1", "queue_bind", queue=name, exchange=exchange, routing_key="key")
    brokers.do("shop/1", "exchange_bind", destination="passing", source="lasting", routing_key="key")
    brokers.do("shop/1", "confirm_select")
    for name in ("work", "quorum", "aging", "transient", "own"):
        for number, persistent in enumerate((True, False, True, True), start=1):
            publish(brokers, f"{number}", to=name, persistent=persistent, priority=number % 3)
    get(brokers, 3)
    get(brokers, 1, name="quorum")

    brokers.restart()

    assert get(brokers, 4, channel="after/1") == ["1", "3", "4"]
    assert get(brokers, 4, name="quorum", channel="after/1") == ["1", "2", "3", "4"]
    assert get(brokers, 4, name="aging", channel="after/1") == ["1", "4", "3"]
    assert brokers.do("after/1", "exchange_declare", exchange="passing", passive=True) == ("refused", "NOT_FOUND", 404)
    brokers.do("after/1", "basic_publish", exchange="lasting", routing_key="key", body="routed", mandatory=True)
    brokers.do("after/1", "basic_publish", exchange="amq.direct", routing_key="key", body="routed", mandatory=True)
