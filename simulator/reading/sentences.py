"""One plain sentence for each step."""

from __future__ import annotations

from collections.abc import Callable

from simulator.message import Message
from simulator.trace import Step
from simulator.vocabulary import KINDS

_PROTOCOL = {
    ("offsets", False): "question where to read on",
    ("offsets", True): "answer where to read on",
    ("commit_ack", True): "confirmation of the commit",
    ("ack", True): "acknowledgement",
    ("receive_message", False): "request for messages",
    ("delete_message", False): "request to delete",
    ("send_message_batch", False): "batch",
    ("delete_message_batch", False): "request to delete several",
    ("change_message_visibility", False): "request to hide on",
    ("consume", False): "request to consume",
    ("basic_ack", False): "acknowledgement",
    ("basic_nack", False): "negative acknowledgement",
    ("deliver", False): "delivery",
    ("closed", False): "end of the connection",
    ("close", False): "end of the connection",
    ("publish", False): "second publishing",
    ("start_message_move_task", False): "order to move messages back",
    ("produce", False): "batch",
    ("replicate", False): "request for copies",
    ("replicate", True): "answer with copies",
    ("alter_isr", False): "request to change who is in sync",
    ("alter_isr", True): "answer about who is in sync",
    ("broker_heartbeat", False): "heartbeat",
    ("broker_heartbeat", True): "answer to the heartbeat",
    ("group_heartbeat", False): "heartbeat",
    ("group_heartbeat", True): "answer to the heartbeat",
    ("metadata", False): "question who leads",
    ("metadata", True): "answer who leads",
    ("leadership", False): "news of who leads",
    ("join", False): "request to join",
    ("join", True): "answer to the request to join",
    ("sync", False): "request for its partitions",
    ("sync", True): "list of its partitions",
    ("leave", False): "farewell",
    ("init_producer", False): "request for a producer id",
    ("init_producer", True): "producer id",
    ("add_partitions", False): "request to take partitions into the transaction",
    ("add_partitions", True): "answer about the transaction's partitions",
    ("end_transaction", False): "request to end the transaction",
    ("end_transaction", True): "answer about the transaction's end",
    ("write_marker", False): "order to write a marker",
    ("write_marker", True): "confirmation of the marker",
}
"""Messages of a protocol whose kind is no word for them, by kind and whether they answer another message."""


def sentence(step: Step) -> str:
    """What the step says, in plain English, without its time: ``"orders stored order-17 at partition 0, offset 3."``"""
    return f"{_SENTENCES[step.kind](step)}."


def call(message: Message | None) -> str:
    """What a sentence calls a message.

    An event of the domain (its kind begins with a capital: ``OrderCreated``) goes by its key, a protocol's message by its kind
    and whatever it is about: ``"order-17"``, ``"the request for order-17"``, ``"the commit"``.
    """
    if message is None:
        return "something"
    if message.kind[:1].isupper():
        return message.key or f"{message.kind} {message.id}"
    called = _PROTOCOL.get((message.kind, message.in_reply_to > 0), message.kind)
    return f"the {called}" + (f" for {message.key}" if message.key else "")


def _subject(message: Message | None) -> str:
    """What a record or request is called where it is clear that it is one: its key."""
    if message is None:
        return "something"
    if message.kind == "write_marker":
        return "a transaction's marker"
    return message.key or f"{message.kind} {message.id}"


def _of(name: str) -> str:
    """The possessive: ``billing's``, ``orders'``."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``4th`` …"""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _again(step: Step) -> str:
    return f", for the {ordinal(step.data['attempt'])} time" if step.data["attempt"] > 1 else ""


def _copy(step: Step) -> str:
    return f" ({ordinal(step.data['copy'] + 1)} copy)" if step.data["copy"] > 0 else ""


def _named(step: Step) -> str:
    """An event by key and type, where it comes into being."""
    message = step.message
    if message is None or not message.kind[:1].isupper():
        return call(message)
    return f"{message.key} ({message.kind})" if message.key else f"{message.kind} {message.id}"


def _lost(step: Step) -> str:
    why = f"{step.data['to']} is down" if step.data["reason"] == "receiver down" else step.data["reason"]
    return f"{call(step.message)} from {step.node} to {step.data['to']} was lost ({why}){_copy(step)}"


def _partition(step: Step) -> str:
    """``partition 3`` of the one topic there is, or a name that tells the topic, too: ``orders-3``."""
    partition = step.data["partition"]
    return partition if isinstance(partition, str) else f"partition {partition}"


def _place(step: Step) -> str:
    return f"{_partition(step)}, offset {step.data['offset']}"


def _from(step: Step) -> str:
    """From where a consumer reads; where its group has committed nothing, that is still to be found out."""
    offset = step.data["offset"]
    return f"from offset {offset} on" if offset >= 0 else "from where its auto_offset_reset says"


def _records(step: Step) -> str:
    number = step.data["records"]
    return "1 record" if number == 1 else f"{number:,} records"


def _timed_out(step: Step) -> str:
    outcome = step.data["outcome"]
    doubt = "whether it was done is not known" if outcome == "indefinite" else f"the outcome is {outcome}"
    return (
        f"{step.node} waited too long for {_of(step.data['to'])} answer about {_subject(step.message)}"
        f" ({ordinal(step.data['attempt'])} attempt): {doubt}"
    )


def _processed(step: Step) -> str:
    return f"{step.node} processed {_subject(step.message)}{_again(step)}"


def _enqueued(step: Step) -> str:
    later = f", to be had in {step.data['delay']:,} ms" if step.data["delay"] else ""
    return f"{step.node} stored {_subject(step.message)} as its {ordinal(step.data['number'])} message{later}"


def _received(step: Step) -> str:
    times = f" for the {ordinal(step.data['count'])} time" if step.data["count"] > 1 else ""
    return f"{step.node} handed out {_subject(step.message)}{times} and hides it for {step.data['hidden']:,} ms"


def _extended(step: Step) -> str:
    hidden = step.data["hidden"]
    return f"{step.node} hides {_subject(step.message)} {f'for {hidden:,} ms from now' if hidden else 'no longer'}"


def _dead_lettered(step: Step) -> str:
    times = "once" if step.data["count"] == 1 else f"{step.data['count']} times"
    return f"{step.node} gave up on {_subject(step.message)}, received {times} in vain, and moves it to {step.data['to']}"


def _routed(step: Step) -> str:
    exchange, queues = step.data["exchange"], step.data["queues"]
    through = f"the exchange {exchange}" if exchange else "the default exchange"
    found = "to no queue" if not queues else "to 1 queue" if queues == 1 else f"to {queues:,} queues"
    return f"{through} of {step.node} routes {_subject(step.message)} {found}"


_LEFT = {
    "acked": "is acknowledged",
    "auto ack": "needs no acknowledgement",
    "rejected": "was rejected",
    "expired": "has expired",
    "maxlen": "was too much for its length",
    "delivery_limit": "came back too often",
    "not persistent": "was not persistent",
}
"""Why a message left its queue, as the end of a sentence."""


def _settled(step: Step) -> str:
    reason = str(step.data["reason"])
    why = _LEFT.get(reason, f"is gone ({reason})")
    return f"{_subject(step.message)} left the queue {step.data['queue']} of {step.node}: it {why}"


def _prefetch(step: Step) -> str:
    most = step.data["prefetch"]
    return f", up to {most:,} messages at a time" if most else ""


_SENTENCES: dict[str, Callable[[Step], str]] = {
    "sent": lambda s: f"{s.node} sent {call(s.message)} to {s.data['to']}{_again(s)}",
    "lost": _lost,
    "duplicated": lambda s: (
        f"the network made {s.data['copies']} copies of {call(s.message)} from {s.node} to {s.data['to']}"
    ),
    "delivered": lambda s: f"{call(s.message)} from {s.data['source']} reached {s.node}{_copy(s)}",
    "crashed": lambda s: f"{s.node} crashed; what it had in memory is gone",
    "restarted": lambda s: f"{s.node} started again with what it had on disk",
    "paused": lambda s: f"{s.node} froze until {s.data['until']:,.0f} ms",
    "resumed": lambda s: f"{s.node} went on",
    "created": lambda s: f"{s.node} made {_named(s)}",
    "acknowledged": lambda s: f"{s.node} knows that {_subject(s.message)} is stored at {_place(s)}",
    "timed_out": _timed_out,
    "failed": lambda s: f"{s.node} was refused {_subject(s.message)} ({s.data['reason']})",
    "abandoned": lambda s: f"{s.node} gave up on {_subject(s.message)} ({s.data['reason']})",
    "completed": lambda s: (
        f"{s.node} got {_of(s.data['source'])} answer about {_subject(s.message)}"
        + (f", after {s.data['attempts']} attempts" if s.data["attempts"] > 1 else "")
    ),
    "ignored": lambda s: f"{s.node} ignored {call(s.message)} ({s.data['reason']})",
    "queued": lambda s: f"{_subject(s.message)} waits at {s.node} ({s.data['depth']} in the queue)",
    "rejected": lambda s: f"{s.node} refused {_subject(s.message)} ({s.data['reason']})",
    "started": lambda s: f"{s.node} began to work on {_subject(s.message)} (worker {s.data['worker'] + 1})",
    "processed": _processed,
    "skipped": lambda s: f"{s.node} skipped {_subject(s.message)} ({s.data['reason']})",
    "published": lambda s: f"{s.node} published {_named(s)} to {s.data['to']}",
    "opened": lambda s: f"{s.node} stopped calling {s.data['to']}: its circuit breaker opened",
    "half_opened": lambda s: f"{s.node} lets one trial call to {s.data['to']} through: its circuit breaker is half open",
    "closed": lambda s: f"{s.node} calls {s.data['to']} as usual: its circuit breaker closed",
    "appended": lambda s: f"{s.node} stored {_subject(s.message)} at {_place(s)}",
    "assigned": lambda s: f"{s.node} reads {_partition(s)} {_from(s)}, for the group {s.data['group']}",
    "fetched": lambda s: f"{s.node} fetched {_subject(s.message)} from {_place(s)}",
    "committed": lambda s: f"{s.node} noted that {s.data['group']} reads on at {_place(s)}",
    "enqueued": _enqueued,
    "deduplicated": lambda s: (
        f"{s.node} recognised {_subject(s.message)} as its {ordinal(s.data['number'])} message, and did not store it again"
    ),
    "received": _received,
    "extended": _extended,
    "reappeared": lambda s: f"{_subject(s.message)} can be had at {s.node} ({s.data['reason']})",
    "deleted": lambda s: f"{s.node} deleted {_subject(s.message)}, as it was told",
    "expired": lambda s: f"{s.node} dropped {_subject(s.message)}: it had kept it for long enough",
    "dead_lettered": _dead_lettered,
    "redriven": lambda s: f"{s.node} moves {_subject(s.message)} back to {s.data['to']}",
    "routed": _routed,
    "readied": lambda s: f"{_subject(s.message)} is ready in the queue {s.data['queue']} of {s.node}",
    "dispatched": lambda s: (
        f"{s.node} gave {_subject(s.message)} from the queue {s.data['queue']} to {s.data['to']}, who has yet to acknowledge it"
    ),
    "requeued": lambda s: f"{_subject(s.message)} is back in the queue {s.data['queue']} of {s.node}, to be delivered again",
    "settled": _settled,
    "returned": lambda s: f"{s.node} has {_subject(s.message)} back ({s.data['reason']}): no queue was there to take it",
    "subscribed": lambda s: f"{s.data['to']} consumes the queue {s.data['queue']} of {s.node}{_prefetch(s)}",
    "replicated": lambda s: f"{s.node} copied {_subject(s.message)} to its {_place(s)}",
    "advanced": lambda s: (
        f"{s.node} knows that {_partition(s)} is committed up to, not including, offset {s.data['offset']}"
    ),
    "truncated": lambda s: (
        f"{s.node} cut {_records(s)} off its {_partition(s)}, from offset {s.data['offset']} on: its leader does not have them"
    ),
    "promoted": lambda s: f"{s.node} leads {_partition(s)} from now on (epoch {s.data['epoch']})",
    "demoted": lambda s: (
        f"{s.node} follows {s.data['leader'] or 'nobody'} in {_partition(s)} from now on (epoch {s.data['epoch']})"
    ),
    "elected": lambda s: (
        f"{s.node} made {s.data['leader'] or 'nobody'} the leader of {_partition(s)} (epoch {s.data['epoch']})"
    ),
    "shrunk": lambda s: f"{s.node} put {s.data['replica']} out of sync in {_partition(s)}; in sync: {s.data['isr']}",
    "expanded": lambda s: f"{s.node} has {s.data['replica']} in sync again in {_partition(s)}; in sync: {s.data['isr']}",
    "fenced": lambda s: f"{s.node} takes {s.data['broker']} for gone ({s.data['reason']})",
    "unfenced": lambda s: f"{s.node} takes {s.data['broker']} for live again",
    "trimmed": lambda s: f"{s.node} dropped the {_records(s)} of {_partition(s)} before offset {s.data['offset']}",
    "compacted": lambda s: f"{s.node} cleaned {_subject(s.message)} out of {_place(s)}",
    "batched": lambda s: f"{s.node} closed a batch of {_records(s)} for {_partition(s)}",
    "identified": lambda s: (
        f"{s.node} gave out the producer id {s.data['producer']}, epoch {s.data['epoch']}"
        + (f", for {s.data['transaction']}" if s.data["transaction"] else "")
    ),
    "begun": lambda s: f"the transaction of {s.data['transaction']} is open at {s.node}",
    "decided": lambda s: (
        f"{s.node} decided that the transaction of {s.data['transaction']} will {s.data['outcome']} ({s.data['reason']})"
    ),
    "marked": lambda s: f"{s.node} wrote the marker ({s.data['outcome']}) of a transaction at {_place(s)}",
    "concluded": lambda s: (
        f"{s.node} knows that the transaction of {s.data['transaction']} has ended everywhere ({s.data['outcome']})"
    ),
    "pledged": lambda s: f"{s.node} will note that {s.data['group']} reads on at {_place(s)}, if the transaction commits",
    "summoned": lambda s: f"{s.node} calls the members of {s.data['group']} together ({s.data['reason']})",
    "rebalanced": lambda s: (
        f"{s.node} shared the partitions of {s.data['group']} out among {s.data['members']}"
        f" {'member' if s.data['members'] == 1 else 'members'} (generation {s.data['generation']})"
    ),
    "admitted": lambda s: f"{s.node} has {s.data['consumer']} in the group {s.data['group']}, as {s.data['member']}",
    "removed": lambda s: f"{s.node} took {s.data['member']} out of the group {s.data['group']} ({s.data['reason']})",
    "joined": lambda s: (
        f"{s.node} is in generation {s.data['generation']} of the group {s.data['group']}, which assigns by {s.data['assignor']}"
    ),
    "revoked": lambda s: f"{s.node} no longer reads {_partition(s)} for the group {s.data['group']} ({s.data['reason']})",
    "stopped": lambda s: f"{s.node} ended in good order",
    "declared": lambda s: f"{s.node} has the queue {s.data['queue']} from now on",
    "bound": lambda s: (
        f"the exchange {s.data['exchange']} of {s.node} passes messages on to {s.data['to']} from now on"
        + (f", by {s.data['key']}" if s.data["key"] else "")
    ),
    "dismantled": lambda s: f"the queue {s.data['queue']} of {s.node} is gone ({s.data['reason']})",
    "reset": lambda s: f"{s.node} reads {_partition(s)} from offset {s.data['offset']} on, as its auto_offset_reset says",
    "unsubscribed": lambda s: (
        f"{s.data['to']} no longer consumes the queue {s.data['queue']} of {s.node} ({s.data['reason']})"
    ),
}

_untold = KINDS.keys() - _SENTENCES.keys()
if _untold:
    raise AssertionError(f"These kinds of step have no sentence: {sorted(_untold)}.")
