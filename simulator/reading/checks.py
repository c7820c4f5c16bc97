"""Verdicts: does a guarantee hold on this run? Each comes with a sentence and the steps that prove it.

A run ends in the middle of things. What is only *not yet* done when it ends breaks no guarantee: the verdict then still
holds, is not ``settled``, and its sentence says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from attrs import frozen

from simulator.reading import fates, repeats
from simulator.reading.durability import acknowledged, leaderless, lost_writes
from simulator.reading.lineage import births, label, shared_keys
from simulator.reading.parties import extent, groups, is_topic, members, processors, topics, topics_of
from simulator.reading.rebalances import unread
from simulator.reading.replicas import replicas
from simulator.reading.sentences import sentence as tell
from simulator.trace import Step, Trace
from simulator.values import Span


@frozen(repr=False)
class Verdict:
    """Whether one guarantee holds."""

    check: str
    """The name of the check, as it is called."""
    holds: bool
    sentence: str
    """The verdict in words, about the worst case where it is broken."""
    evidence: tuple[Step, ...] = ()
    """The steps that prove a broken guarantee, or that show what is not yet done; none where all is well."""
    settled: bool = True
    """False: it holds so far, but something it is about was still under way when the run ended."""

    @property
    def indexes(self) -> tuple[int, ...]:
        """The evidence as places in the trace."""
        return tuple(step.index for step in self.evidence)

    @property
    def status(self) -> str:
        """``"holds"``, ``"holds so far"`` or ``"broken"``."""
        if not self.holds:
            return "broken"
        return "holds" if self.settled else "holds so far"

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        sign = "✓" if self.holds else "✗"
        lines = [f"{sign} {self.check}: {self.sentence}"]
        lines += [f"    {step.time:>10,.1f} ms  #{step.index:<6} {tell(step)}" for step in self.evidence[:12]]
        if len(self.evidence) > 12:
            lines.append(f"    … and {len(self.evidence) - 12} more steps")
        return "\n".join(lines)


def at_most_once(trace: Trace, name: str, *, of: fates.Of = "message") -> Verdict:
    """No message took effect twice at a node or in a group; losses are allowed.

    The guarantee of whoever commits (or acknowledges) *before* the work: see "Message Delivery Semantics" in Apache
    Kafka's documentation.
    """
    return _join(trace, "at_most_once", name, repeats.duplicates(trace, name, of=of), [])


def at_least_once(trace: Trace, name: str, *, of: fates.Of = "message") -> Verdict:
    """Everything that was meant for a node or group took effect there; repeats are allowed.

    The guarantee of whoever commits *after* the work: see "Message Delivery Semantics" in Apache Kafka's documentation.
    """
    return _join(trace, "at_least_once", name, [], fates.missing(trace, name, of=of))


def processed_once(trace: Trace, name: str) -> Verdict:
    """Every message that was meant for a node or group took effect there once: at least once and at most once."""
    return _join(trace, "processed_once", name, repeats.duplicates(trace, name), fates.missing(trace, name))


def effectively_once(trace: Trace, name: str) -> Verdict:
    """Every *operation* of a client took effect once, however many messages, retries and repeats carried it to there.

    What Tyler Akidau and others ("Streaming Systems", 2018, chapter 5) mean by exactly-once: not that a record is
    delivered once, which no network can promise, but that its effect is as if it had been. Stricter than `processed_once`: a
    service that is asked twice and passes the question on in two new messages breaks it.
    """
    absent = fates.missing(trace, name, of="operation")
    return _join(trace, "effectively_once", name, repeats.duplicates(trace, name, of="operation"), absent)


def per_key_order(trace: Trace, name: str) -> Verdict:
    """Messages of one key that one client made took effect in the order in which it made them.

    Judged by first effects: a repeat is a duplicate, no reordering. A log keeps this order within a partition, and thereby for
    a key, as long as whoever writes it and whoever reads it keep it too.
    """
    found = repeats.reorderings(trace, name)
    if not found:
        return Verdict("per_key_order", True, f"{name} did everything in the order of its key.")
    worst = found[0]
    born = births(trace)
    shared = {key for key in (worst.key,) if worst.earlier.key == worst.later.key}
    earlier, later = label(trace, worst.earlier.id, shared), label(trace, worst.later.id, shared)
    steps = tuple(
        trace[index]
        for index in (born[worst.earlier.id].step, born[worst.later.id].step, *(step.index for step in worst.steps))
    )
    more = _more(len(found) - 1, "other reordering")
    verb = "stored" if is_topic(trace, name) else "processed"
    return Verdict(
        "per_key_order", False, f"{earlier} was {verb} by {name} after {later}, which was made later{more}.", steps
    )


def no_lost_acknowledged_write(trace: Trace, topic: str | None = None) -> Verdict:
    """What a producer was told is stored is in the log at the end.

    Jepsen's analyses call its breach a "lost write". A place in the log holds what was last appended to it; in a cluster the
    log is that of a partition's leader. A queue keeps what it has confirmed until it is taken out as it should be.
    """
    judged, lost = acknowledged(trace, topic), lost_writes(trace, topic)
    of = "" if topic is None else f" of {topic}"
    in_queues = all(at < 0 for _, _, at in judged.values()) if judged else False
    if not lost:
        kept = "were kept" if in_queues else "are in the log"
        return Verdict("no_lost_acknowledged_write", True, f"All {len(judged):,} acknowledged records{of} {kept}.")
    first = lost[0]
    gone = "was not kept" if in_queues else "is not in the log"
    why = f": {first.why}" if first.why else ""
    sentence = (
        f"{label(trace, first.message.id, shared_keys(trace))} was acknowledged, but {gone}{why}"
        f"{_more(len(lost) - 1, 'other record')}."
    )
    return Verdict("no_lost_acknowledged_write", False, sentence, first.steps)


def no_aborted_read(trace: Trace, name: str) -> Verdict:
    """Nothing took effect at a node or group that was written in a transaction which was aborted.

    Jepsen calls its breach G1a, an aborted read (Atul Adya, "Weak Consistency", 1999). A consumer with
    ``isolation_level="read_committed"`` is safe from it.
    """
    aborted = replicas(trace).aborted
    places = members(trace, name)
    read = [row for row in trace.rows("processed") if row[3] in places and row[4] in aborted]
    if not read:
        return Verdict("no_aborted_read", True, f"{name} acted on nothing that was taken back.")
    first = read[0]
    others = _more(len({row[4] for row in read}) - 1, "other record")
    called = label(trace, first[4], shared_keys(trace))
    sentence = f"{name} acted on {called}, whose transaction was aborted{others}."
    indexes = sorted({births(trace)[first[4]].step, first[0], aborted[first[4]]})
    return Verdict("no_aborted_read", False, sentence, tuple(trace[index] for index in indexes))


def always_led(trace: Trace, topic: str | None = None) -> Verdict:
    """Every partition of a cluster had a leader at work all the time: what is sent to it can be stored, and what it has be read.

    ``topic`` chooses as in `measures.leaderless`.
    """
    found = leaderless(trace, topic)
    of = f"of {topic} " if topic is not None else ""
    if not found:
        return Verdict("always_led", True, f"Every partition {of}had a leader all the time.")
    worst, span = _longest(found)
    times = sum(len(spans) for spans in found.values())
    sentence = f"{worst} had no leader for {_told(trace, span)}{_more(times - 1, 'other gap')}."
    return Verdict("always_led", False, sentence, _ends(trace, worst, span, ("demoted",), ("promoted",)))


def always_read(trace: Trace, group: str) -> Verdict:
    """Whenever a member of a group had once read a partition, one of them did: its records don't lie waiting for a reader.

    A rebalance breaks it for as long as it takes, a crash until the group has noticed it. Raises KeyError for a name that is
    no group.
    """
    found = unread(trace, group)
    if not found:
        return Verdict("always_read", True, f"{group} read all its partitions all the time.")
    worst, span = _longest(found)
    times = sum(len(spans) for spans in found.values())
    named = worst if isinstance(worst, str) else f"partition {worst}"
    sentence = f"Nobody in {group} read {named} for {_told(trace, span)}{_more(times - 1, 'other gap')}."
    return Verdict("always_read", False, sentence, _ends(trace, worst, span, ("revoked",), ("assigned",)))


_Partition = TypeVar("_Partition", bound=int | str)


def _longest(spans: Mapping[_Partition, Sequence[Span]]) -> tuple[_Partition, Span]:
    every_span = [(partition, span) for partition, held in spans.items() for span in held]
    return max(every_span, key=lambda each: each[1].end - each[1].start)


def _told(trace: Trace, span: Span) -> str:
    open_ended = span.end >= extent(trace).end
    return f"{span.end - span.start:,.0f} ms{', to the end of the run' if open_ended else ''}"


def _ends(
    trace: Trace, partition: int | str, span: Span, begins: tuple[str, ...], ends: tuple[str, ...]
) -> tuple[Step, ...]:
    """The steps that began a gap, and those that ended it."""
    began = [
        step
        for step in trace.select(*begins, "crashed", "stopped")
        if step.time == span.start and step.data.get("partition", partition) == partition
    ]
    ended = [step for step in trace.select(*ends) if step.time == span.end and step.data["partition"] == partition]
    return (*began, *ended)


def converged(trace: Trace, names: Iterable[str] | None = None) -> Verdict:
    """All these groups and nodes know the same keys at the end: what took effect at one took effect at every other.

    Without names: all consumer groups, or where there are fewer than two, all that do the work. The liveness half of
    eventual consistency (Werner Vogels, "Eventually Consistent", 2009): when nothing new comes, all come to agree.
    """
    chosen = list(names) if names is not None else list(groups(trace))
    if names is None and len(chosen) < 2:
        chosen = list(processors(trace))
    keys = [key for _, key, _, _ in trace.message_rows()]
    first: dict[int, int] = {}
    knows: dict[str, set[int]] = {}
    for name in chosen:
        places = members(trace, name)
        known = knows[name] = set()
        for row in trace.rows("processed", "skipped"):
            key = keys[row[4] - 1] if row[3] in places and row[4] else 0
            if key:
                known.add(key)
                first[key] = min(first.get(key, row[0]), row[0])
    absent = [(name, key) for name in chosen for key in sorted(first, key=first.__getitem__) if key not in knows[name]]
    together = _list(chosen)
    if not absent:
        return Verdict("converged", True, f"{together} know the same {len(first):,} {'key' if len(first) == 1 else 'keys'}.")
    open_keys = {keys[each.message.id - 1] for name in processors(trace) for each in fates.pending(trace, name)}
    for_good = [(name, key) for name, key in absent if key not in open_keys]
    name, key = (for_good or absent)[0]
    informed = _list([other for other in chosen if key in knows[other]])
    knows_word = "knows" if sum(key in knows[other] for other in chosen) == 1 else "know"
    more = _more(len(for_good or absent) - 1, "other gap")
    if for_good:
        sentence = f"{name} will never learn of {trace.values[key]}, which {informed} {knows_word}{more}."
    else:
        sentence = f"So far: {name} did not know of {trace.values[key]} yet when the run ended, {informed} did{more}."
    return Verdict("converged", not for_good, sentence, (trace[first[key]],), settled=bool(for_good))


def every(trace: Trace) -> list[Verdict]:
    """The checks that apply to this trace: each group's (or without groups, each working node's) guarantees, then the whole's.

    Where exchanges led something to some groups only, the groups are not meant to know the same, and are not asked to.
    """
    verdicts: list[Verdict] = []
    workers = list(groups(trace)) or list(processors(trace))
    for name in workers:
        verdicts += [at_most_once(trace, name, of="operation"), at_least_once(trace, name), per_key_order(trace, name)]
    if topics(trace) and any(True for _ in trace.rows("acknowledged")):
        verdicts.append(no_lost_acknowledged_write(trace))
    if any(True for _ in trace.rows("begun")):
        verdicts += [no_aborted_read(trace, name) for name in workers if topics_of(trace, name)]
    if len(workers) > 1 and not any(fates.led_elsewhere(trace, name) for name in workers):
        verdicts.append(converged(trace))
    return verdicts


def _join(
    trace: Trace, check: str, name: str, doubles: Sequence[repeats.Duplicate], absent: Sequence[fates.Missing]
) -> Verdict:
    """One verdict from what happened twice and what did not happen."""
    shared = shared_keys(trace) if doubles or absent else set()
    lost = [each for each in absent if each.lost]
    waiting = [each for each in absent if not each.lost]
    parts: list[str] = []
    evidence: tuple[Step, ...] = ()
    if doubles:
        worst = doubles[0]
        verb = "stored" if is_topic(trace, name) else "processed"
        times = {2: "twice", 3: "three times"}.get(worst.times, f"{worst.times} times")
        others = _more(len(doubles) - 1, "other repeat")
        parts.append(f"{label(trace, worst.message.id, shared)} was {verb} {times} by {name}{others}")
        evidence += worst.steps
    if lost:
        gone = lost[0]
        others = _more(len(lost) - 1, "other loss", "other losses")
        parts.append(f"{label(trace, gone.message.id, shared)} never took effect at {name}: {gone.why}{others}")
        evidence += gone.steps
    if parts:
        ordered = tuple(sorted(evidence, key=lambda step: step.index))
        return Verdict(check, False, "; ".join(parts) + ".", ordered)
    if waiting:
        late = waiting[0]
        others = _more(len(waiting) - 1, "other that is not there yet", "others that are not there yet")
        sentence = f"So far: {label(trace, late.message.id, shared)} has not taken effect at {name} yet: {late.why}{others}."
        return Verdict(check, True, sentence, late.steps, settled=False)
    return Verdict(check, True, _PRAISE[check].format(name=name))


_PRAISE = {
    "at_most_once": "Nothing took effect twice at {name}.",
    "at_least_once": "Nothing that was meant for {name} was lost.",
    "processed_once": "Everything that was meant for {name} took effect there once.",
    "effectively_once": "Everything that clients asked for took effect at {name} once.",
}


def _more(count: int, one: str, many: str | None = None) -> str:
    if count <= 0:
        return ""
    return f" (and {count:,} {one if count == 1 else many or one + 's'})"


def _list(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "nobody"
    return f"{', '.join(names[:-1])} and {names[-1]}"
