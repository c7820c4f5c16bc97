"""Which look each message and each step has, and which steps are nothing but background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from simulator.reading.flights import carried
from simulator.reading.lineage import births
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


def background(trace: Trace, steps: Sequence[Step], looks: Mapping[int, str]) -> Iterator[bool]:
    """Which steps are nothing but protocol going its usual way, or a cluster's upkeep.

    What happened to one of the protocol's messages is not background, and neither is what a cluster's upkeep brings about: a
    broker that is out of sync, a new leader, a group that shares its partitions out anew.
    """
    struck = {step.cause for step in steps if step.kind in {"lost", "duplicated"}}
    leads = _leads(trace, steps[0].index) if steps else set()
    for step in steps:
        if step.kind in {"sent", "delivered"}:
            usual = step.index not in struck if step.kind == "sent" else step.cause not in struck
            yield usual and step.message is not None and looks[step.message.id] == "protocol"
            continue
        yield _is_upkeep(step, leads)
        _note_leader(leads, step)


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
    match step.kind:
        case "elected" | "expanded" | "promoted":
            # How a run begins.
            return step.time == 0
        case "demoted" | "advanced":
            # A follower is told whom to follow, and how far what it has is committed.
            return (step.node, partition) not in leads
        case "batched":
            return bool(step.data["records"] == 1)
        case "identified":
            return step.data["transaction"] is None
    return False
