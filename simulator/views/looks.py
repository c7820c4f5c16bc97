"""Which look each message and each step has, and which steps are nothing but background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from simulator.reading.flights import carried
from simulator.reading.lineage import births
from simulator.reading.wire import wire
from simulator.trace import Step, Trace
from simulator.views.cluster_panel import is_internal

TONES = {
    "lost": "lost", "duplicated": "again", "timed_out": "unknown", "failed": "refused", "abandoned": "refused",
    "rejected": "refused", "crashed": "down", "paused": "paused", "opened": "open", "half_opened": "half-open",
    "skipped": "skipped", "acknowledged": "done", "completed": "done", "queued": "waiting", "started": "working",
    "processed": "done", "appended": "event", "fetched": "event", "enqueued": "event", "received": "working",
    "deduplicated": "skipped", "expired": "lost", "dead_lettered": "refused", "readied": "event", "dispatched": "working",
    "requeued": "back", "replicated": "event", "advanced": "watermark", "elected": "leader", "promoted": "leader",
    "shrunk": "refused", "expanded": "done", "fenced": "refused", "unfenced": "done", "truncated": "lost",
    "stopped": "down", "summoned": "waiting", "removed": "refused", "trimmed": "trimmed", "compacted": "compacted",
}  # fmt: skip
"""The look of each kind of step, where it is not its message's."""

NOTABLE = ("lost", "again", "resent", "unknown", "refused", "down", "paused", "open", "skipped", "back")
"""The looks of steps that the timeline marks."""


def message_looks(trace: Trace, messages: Iterable[int]) -> dict[int, str]:
    """What sort each of these messages is: an event, a request, a reply, or a part of a protocol."""
    logs = {node.name for node in trace.scenario.nodes if node.role == "broker"}
    to_logs = {step[4] for step in trace.rows("sent") if trace.nodes[step[6]] in logs}
    born = births(trace)
    looks = {}
    for number in messages:
        message = trace.message(number)
        if number in born:
            looks[number] = "event" if number in to_logs else "request"
        elif message.kind != "replicate" and carried(message):
            looks[number] = "event"
        elif message.in_reply_to in born and message.in_reply_to not in to_logs:
            looks[number] = "reply"
        else:
            looks[number] = "protocol"
    return looks


def tone(step: Step, looks: Mapping[int, str]) -> str:
    """The look of a step; empty where it has none. ``looks`` are those of messages."""
    if step.kind in {"processed", "sent"} and step.data["attempt"] > 1:
        return "again" if step.kind == "processed" else "resent"
    if step.kind == "reappeared":
        return "event" if step.data["reason"] == "delay over" else "back"
    if step.kind in {"marked", "decided"}:
        return "done" if step.data["outcome"] == "commit" else "refused"
    if step.kind in {"sent", "delivered", "created", "published"} and step.message is not None:
        return looks[step.message.id]
    return TONES.get(step.kind, "")


_UPKEEP = frozenset((
    "replicate", "broker_heartbeat", "alter_isr", "leadership", "metadata", "group_heartbeat", "fetch", "list_offsets",
    "offsets", "join", "sync",
))  # fmt: skip
"""The messages that a cluster and its clients send again and again, until they get through."""

_TO_BE_EXPECTED = ("receiver down", "Cut")
"""Why such a message is lost while something else is wrong, which is told."""


def background(trace: Trace, steps: Sequence[Step], looks: Mapping[int, str]) -> Iterator[bool]:
    """Which steps are nothing but protocol going its usual way, or a cluster's upkeep.

    What happened to one of the protocol's messages is not background, and neither is what a cluster's upkeep brings about: a
    broker that is out of sync, a new leader, a group that shares its partitions out anew.
    """
    has_cluster = bool(wire(trace).partitions)
    leads = _leads(trace, steps[0].index) if steps else set()
    struck = {
        step.cause for step in steps if step.kind in {"lost", "duplicated"} and not (has_cluster and _is_expected(step))
    }
    for step in steps:
        protocol = step.message is not None and looks[step.message.id] == "protocol"
        if step.kind == "sent":
            yield protocol and step.index not in struck
        elif step.kind == "delivered":
            # What a batch brings to a broker, or records to a consumer, is told by the steps that follow at once.
            told = has_cluster and step.message is not None and step.message.kind in {"produce", "records"}
            yield (protocol or told) and step.cause not in struck
        else:
            yield has_cluster and (
                _is_upkeep(step, leads) or _is_expected(step) or protocol and step.kind in {"timed_out", "ignored"}
            )
            _note_leader(leads, step)


def _is_expected(step: Step) -> bool:
    if step.kind != "lost" or step.message is None:
        return False
    return step.message.kind in _UPKEEP and step.data["reason"] in _TO_BE_EXPECTED


def _leads(trace: Trace, index: int) -> set[tuple[str, object]]:
    """Which brokers lead which partitions before a step."""
    leads: set[tuple[str, object]] = set()
    for step in trace.select("promoted", "demoted"):
        if step.index >= index:
            break
        _note_leader(leads, step)
    return leads


def _note_leader(leads: set[tuple[str, object]], step: Step) -> None:
    if step.kind == "promoted":
        leads.add((step.node, step.data["partition"]))
    elif step.kind == "demoted":
        leads.discard((step.node, step.data["partition"]))


def _is_upkeep(step: Step, leads: set[tuple[str, object]]) -> bool:
    partition = step.data.get("partition")
    if isinstance(partition, str) and is_internal(partition):
        return True
    rule = _UPKEEP_STEPS.get(step.kind)
    return rule is not None and rule(step, (step.node, partition) in leads)


_UPKEEP_STEPS: dict[str, Callable[[Step, bool], bool]] = {
    # How a run begins.
    "elected": lambda step, leads: step.time == 0,
    "expanded": lambda step, leads: step.time == 0,
    "promoted": lambda step, leads: step.time == 0,
    # A follower is told whom to follow, and how far what it has is committed.
    "demoted": lambda step, leads: not leads,
    "advanced": lambda step, leads: not leads,
    "batched": lambda step, leads: bool(step.data["records"] == 1),
    # Work on it begins at once, or when that on the one before is done.
    "fetched": lambda step, leads: True,
    "identified": lambda step, leads: step.data["transaction"] is None,
}
"""Whether a step of this kind is upkeep; told with it is whether its node leads its partition."""
