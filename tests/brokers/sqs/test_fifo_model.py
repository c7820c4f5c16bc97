"""Random scripts on a FIFO queue and on the plainest list that does what AWS publishes: the same comes out of both.

What AWS says, in its API reference and Developer Guide: a group's messages come in the order in which they were sent, none
while another of the group is hidden; a receive takes as many of one group as it can before it takes others; whoever sends a
deduplication id again within five minutes of the first sending is told that all is well, and nothing is stored; a handle
deletes until the message can be had again; what was received too often leaves for the dead-letter queue when it would be
received once more.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.sqs.attributes import QueueAttributes, RedrivePolicy
from simulator.brokers.sqs.errors import InvalidParameterValue, MessageNotInflight
from simulator.brokers.sqs.queue import Queue
from tests.profiles import some

S = 1_000.0
WINDOW = 300 * S


class Kept:
    """A message in the list."""

    def __init__(self, body: str, group: str, sent_at: float, visible_at: float) -> None:
        self.body = body
        self.group = group
        self.sent_at = sent_at
        self.visible_at = visible_at
        self.received = 0
        self.handle = 0
        self.hidden = False


class Plain:
    """A FIFO queue as a list."""

    def __init__(self, attributes: QueueAttributes) -> None:
        self.attributes = attributes
        self.list: list[Kept] = []
        self.sent: list[tuple[str, float]] = []
        self.handles: dict[int, Kept] = {}
        self.dead: list[str] = []

    def advance(self, now: float) -> None:
        for each in self.list:
            if each.visible_at <= now:
                each.hidden = False
        kept_for = S * self.attributes.message_retention_period
        self.list = [each for each in self.list if each.sent_at + kept_for > now]

    def send(self, now: float, body: str, group: str) -> bool:
        if any(known == body and now - at < WINDOW for known, at in self.sent):
            return False
        self.sent.append((body, now))
        self.list.append(Kept(body, group, now, now + S * self.attributes.delay_seconds))
        return True

    def receive(self, now: float, most: int, timeout: int) -> list[str]:
        blocked = {each.group for each in self.list if each.hidden}
        found = []
        for one in self.in_turn(now, blocked):
            policy = self.attributes.redrive_policy
            if policy is not None and one.received >= policy.max_receive_count:
                self.list.remove(one)
                self.dead.append(one.body)
                continue
            one.received += 1
            one.hidden = True
            one.visible_at = now + S * timeout
            one.handle = max(self.handles, default=0) + 1
            self.handles[one.handle] = one
            found.append(one.body)
            if len(found) == most:
                break
        return found

    def in_turn(self, now: float, blocked: set[str]) -> Iterator[Kept]:
        there = [each for each in self.list if each.group not in blocked and each.visible_at <= now]
        for group in dict.fromkeys(each.group for each in there):
            yield from [each for each in there if each.group == group]

    def delete(self, handle: int) -> str:
        one = self.handles[handle]
        if one not in self.list:
            return "gone"
        if one.handle != handle or not one.hidden:
            return "InvalidParameterValue"
        self.list.remove(one)
        return "deleted"

    def change(self, now: float, handle: int, timeout: int) -> str:
        one = self.handles[handle]
        if one not in self.list or one.handle != handle or not one.hidden:
            return "MessageNotInflight"
        one.visible_at = now + S * timeout
        one.hidden = timeout > 0
        return "changed"


def ours_deletes(queue: Queue, now: float, handle: int) -> str:
    try:
        return "gone" if queue.delete_message(now, handle) is None else "deleted"
    except InvalidParameterValue as error:
        return error.code


def ours_changes(queue: Queue, now: float, handle: int, timeout: int) -> str:
    try:
        queue.change_message_visibility(now, handle, timeout)
    except MessageNotInflight as error:
        return error.code
    return "changed"


BODIES = st.sampled_from(["a1", "a2", "a3", "b1", "b2", "c1"])
OPERATIONS = st.one_of(
    st.tuples(st.just("send"), BODIES),
    st.tuples(st.just("send"), BODIES),
    st.tuples(st.just("receive"), st.integers(1, 5), st.sampled_from([0, 1, 5, 30])),
    st.tuples(st.just("receive"), st.integers(1, 5), st.sampled_from([0, 1, 5, 30])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from([0, 2, 40])),
)
WAITS = st.sampled_from([0, 0, 1, 1_000, 4_999, 30_000, 60_000, 299_999, 300_000])
"""Milliseconds; all that matters happens on whole seconds, and these fall on both sides of that."""


@some(2)
@given(
    delay_seconds=st.sampled_from([0, 0, 2]),
    retention=st.sampled_from([60, 345_600]),
    most=st.sampled_from([None, 1, 2]),
    script=st.lists(st.tuples(WAITS, OPERATIONS), min_size=5, max_size=40),
)
def test_a_fifo_queue_does_what_a_plain_list_does(delay_seconds, retention, most, script):
    attributes = QueueAttributes(
        fifo_queue=True,
        delay_seconds=delay_seconds,
        message_retention_period=retention,
        redrive_policy=None if most is None else RedrivePolicy("dead.fifo", most),
    )
    ours, plain, now = Queue(attributes, name="orders.fifo"), Plain(attributes), 0.0
    dead: list[str] = []

    for wait, (what, *details) in script:
        now += wait
        plain.advance(now)
        if what == "send":
            (body,) = details
            sent = ours.send_message(now, body, message_group_id=body[0], message_deduplication_id=body)
            assert plain.send(now, body, body[0]) == (not sent.duplicate)
        elif what == "receive":
            number, timeout = details
            found = ours.receive_message(now, max_number_of_messages=number, visibility_timeout=timeout)
            dead += [stored.body for stored in ours.dead_lettered]
            assert [message.body for message in found] == plain.receive(now, number, timeout)
            assert dead == plain.dead
        elif plain.handles:
            place, *timeout = details
            handle = sorted(plain.handles)[-1 - place % len(plain.handles)]
            if what == "delete":
                assert ours_deletes(ours, now, handle) == plain.delete(handle)
            else:
                assert ours_changes(ours, now, handle, *timeout) == plain.change(now, handle, *timeout)
