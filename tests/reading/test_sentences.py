import pytest

from simulator.reading.sentences import ordinal, sentence
from simulator.vocabulary import INT, KINDS, NODE
from tests.reading.written import Shop


def _told(kind, node="billing", key="order-17", message_kind="OrderCreated", in_reply_to=0, **data):
    pen = Shop()
    asked = [pen.made(0, "order-17")] if in_reply_to else []
    message = pen.message(message_kind, key, in_reply_to=in_reply_to)
    pen(9, kind, node, message, **data)
    assert len(asked) == in_reply_to
    return sentence(pen.trace()[-1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_message", [True, False], ids=["with a message", "without one"])
def test_every_kind_of_step_has_a_sentence(kind, with_message):
    pen = Shop()
    data = {name: 1 if reading == INT else "shop" if reading == NODE else 7.0 for name, reading in KINDS[kind].fields}
    pen(9, kind, "billing", pen.message("OrderCreated", "order-17") if with_message else None, **data)

    told = sentence(pen.trace()[-1])

    assert told.endswith(".")
    assert "billing" in told
    assert "None" not in told


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (_told("appended", "orders", partition=0, offset=3), "orders stored order-17 at partition 0, offset 3."),
        (
            _told("lost", key=None, message_kind="commit", to="orders", reason="Drop", copy=0),
            "the commit from billing to orders was lost (Drop).",
        ),
        (
            _told("lost", "orders", message_kind="ack", in_reply_to=1, to="shop", reason="receiver down", copy=0),
            "the acknowledgement for order-17 from orders to shop was lost (shop is down).",
        ),
        (_told("created", "shop"), "shop made order-17 (OrderCreated)."),
        (_told("sent", "shop", to="orders", attempt=2), "shop sent order-17 to orders, for the 2nd time."),
        (
            _told("sent", "shop", message_kind="request", to="orders", attempt=1),
            "shop sent the request for order-17 to orders.",
        ),
        (_told("delivered", "orders", source="shop", copy=1), "order-17 from shop reached orders (2nd copy)."),
        (_told("processed", attempt=2), "billing processed order-17, for the 2nd time."),
        (
            _told("timed_out", "shop", to="orders", attempt=1, outcome="indefinite"),
            "shop waited too long for orders' answer about order-17 (1st attempt): whether it was done is not known.",
        ),
        (
            _told("committed", "orders", message_kind="commit", partition=1, offset=4, group="billing"),
            "orders noted that billing reads on at partition 1, offset 4.",
        ),
        (
            _told("completed", "shop", attempts=3, source="orders"),
            "shop got orders' answer about order-17, after 3 attempts.",
        ),
    ],
)
def test_sentences_are_plain(told, wanted):
    assert told == wanted


def test_a_message_without_a_key_goes_by_its_type_and_number():
    assert _told("created", "shop", key=None) == "shop made OrderCreated 1."


@pytest.mark.parametrize(
    ("number", "wanted"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (113, "113th")]
)
def test_ordinals(number, wanted):
    assert ordinal(number) == wanted
