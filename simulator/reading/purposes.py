"""What messages on the wire are for: how many carried something, and how many were the price of a guarantee."""

from __future__ import annotations

from typing import Literal, get_args

from simulator.reading.flights import carried
from simulator.reading.lineage import births
from simulator.trace import Trace

Purpose = Literal["records", "acknowledgements", "replication", "polling", "coordination"]
"""What a message is for: it carries a record (or a request) to where it is wanted; it says what became of one; it copies records
from broker to broker; it asks for some, or says that there are none; or it keeps brokers and clients together."""

_FOR: dict[tuple[str, bool], Purpose] = {
    ("produce", False): "records",
    ("letter", False): "records",
    ("publish", False): "records",
    ("send_message_batch", False): "records",
    ("ack", True): "acknowledgements",
    ("basic_ack", False): "acknowledgements",
    ("basic_nack", False): "acknowledgements",
    ("delete_message", False): "acknowledgements",
    ("delete_message_batch", False): "acknowledgements",
    ("commit", False): "acknowledgements",
    ("commit_ack", True): "acknowledgements",
    ("replicate", False): "replication",
    ("replicate", True): "replication",
    ("fetch", False): "polling",
    ("receive_message", False): "polling",
}
"""By kind, and whether it answers another message."""

_ANSWERS = ("reply", "refusal", "return")
_HANDED_OUT = ("records", "messages", "deliver")


def purposes(trace: Trace) -> dict[Purpose, int]:
    """How many transmissions were put on links for what: all but ``records`` is what the guarantees cost.

    Every purpose is there, with 0 where nothing was sent for it; together they are `messages_on_the_wire`.
    """
    born, values = births(trace), trace.values
    rows = list(trace.message_rows())
    known: dict[int, Purpose] = {}

    def purpose(number: int) -> Purpose:
        kind, _, answered, _ = rows[number - 1]
        name = str(values[kind])
        if number in born:
            return "records"
        if name in _HANDED_OUT:
            return "records" if carried(trace.message(number)) else "polling"
        if name in _ANSWERS and answered:
            asked = purpose(answered)
            return asked if asked in ("coordination", "polling") else "acknowledgements"
        return _FOR.get((name, answered > 0), "coordination")

    counts: dict[Purpose, int] = dict.fromkeys(get_args(Purpose), 0)
    for row in trace.rows("sent"):
        number = row[4]
        if number:
            if number not in known:
                known[number] = purpose(number)
            counts[known[number]] += 1
    return counts
