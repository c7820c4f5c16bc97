"""The kinds of step: a short closed vocabulary of past participles, each with the data that it must carry.

A step has room for three whole numbers beside its time, node, message and cause. A field says how its number is read:
``INT`` as it stands, ``NODE`` as a node of the scenario, ``VALUE`` as one of the trace's shared values (text mostly),
``PARTITION`` as a topic's partition: by its number where the node is one topic, and by Kafka's name for it (``orders-0``)
at a node that holds partitions of several. A name stands in the step as the shared value's number, made negative.
"""

from __future__ import annotations

from typing import NamedTuple

INT, NODE, VALUE, PARTITION = "int", "node", "value", "partition"


class Kind(NamedTuple):
    """One kind of step."""

    code: int
    name: str
    fields: tuple[tuple[str, str], ...]
    """The data, in order: (name, how its number is read)."""
    doc: str


KINDS: dict[str, Kind] = {}
"""Every kind by its name."""

BY_CODE: list[Kind] = []
"""Every kind by its code."""


def _kind(name: str, doc: str, **fields: str) -> int:
    code = len(BY_CODE)
    kind = Kind(code, name, tuple(fields.items()), doc)
    KINDS[name] = kind
    BY_CODE.append(kind)
    return code


SENT = _kind("sent", "a node put the message on a link", to=NODE, attempt=INT)
LOST = _kind("lost", "the message will not arrive; the node is its sender", to=NODE, reason=VALUE, copy=INT)
DUPLICATED = _kind("duplicated", "the network made copies of what was sent", to=NODE, copies=INT)
DELIVERED = _kind("delivered", "the message arrived; its cause is the step that sent it", source=NODE, copy=INT)

CRASHED = _kind("crashed", "the node stopped; what it kept in memory is gone")
RESTARTED = _kind("restarted", "the node began again with nothing but its durable state", incarnation=INT)
PAUSED = _kind("paused", "the node froze; what arrives waits", until=VALUE)
RESUMED = _kind("resumed", "the node went on")

CREATED = _kind("created", "a client made this record or request: its birth")
ACKNOWLEDGED = _kind("acknowledged", "the producer knows that the record is stored", partition=PARTITION, offset=INT)
TIMED_OUT = _kind("timed_out", "no answer in time: whether it was done is not known", to=NODE, attempt=INT, outcome=VALUE)
FAILED = _kind("failed", "one attempt was answered with a refusal", reason=VALUE)
ABANDONED = _kind("abandoned", "the client gave up for good", reason=VALUE)
COMPLETED = _kind("completed", "the caller has the good answer of the node it asked", attempts=INT, source=NODE)
IGNORED = _kind("ignored", "the message arrived when nobody waited for it any more", reason=VALUE)

QUEUED = _kind("queued", "the message waits for a worker", depth=INT)
REJECTED = _kind("rejected", "the node refused the message", reason=VALUE)
STARTED = _kind("started", "work on the message began", worker=INT)
PROCESSED = _kind("processed", "the work's effect happened, for the attempt-th time at this node", attempt=INT)
SKIPPED = _kind("skipped", "an idempotent handler recognised what it had already done", reason=VALUE)
PUBLISHED = _kind("published", "a service handed an event to a topic", to=NODE)

OPENED = _kind("opened", "a circuit breaker stopped the calls", to=NODE)
HALF_OPENED = _kind("half_opened", "a circuit breaker lets one trial call through", to=NODE)
CLOSED = _kind("closed", "a circuit breaker lets all calls through again", to=NODE)

APPENDED = _kind("appended", "the record is in the log", partition=PARTITION, offset=INT)
ASSIGNED = _kind(
    "assigned", "the consumer reads this partition from this offset on", partition=PARTITION, offset=INT, group=VALUE
)
FETCHED = _kind("fetched", "the consumer holds the record", partition=PARTITION, offset=INT)
COMMITTED = _kind("committed", "the group's next offset to read is stored", partition=PARTITION, offset=INT, group=VALUE)

ENQUEUED = _kind("enqueued", "the queue stored the message, hidden for a delay in ms", number=INT, delay=INT)
DEDUPLICATED = _kind("deduplicated", "the queue had stored the same message before, and did not again", number=INT)
RECEIVED = _kind(
    "received", "the queue handed the message out and hid it, for so many ms", number=INT, count=INT, hidden=INT
)
EXTENDED = _kind("extended", "the message stays hidden for so many ms from now; 0 ends it", number=INT, hidden=INT)
REAPPEARED = _kind("reappeared", "the message can be received again, or now for the first time", number=INT, reason=VALUE)
DELETED = _kind("deleted", "its receiver took the message out of the queue for good", number=INT)
EXPIRED = _kind("expired", "the queue had kept the message for long enough and dropped it", number=INT)
DEAD_LETTERED = _kind(
    "dead_lettered", "received too often, the message left for another queue", number=INT, to=NODE, count=INT
)
REDRIVEN = _kind("redriven", "the message left a dead-letter queue, to be tried again", number=INT, to=NODE)

ROUTED = _kind("routed", "an exchange found so many queues for the message", exchange=VALUE, queues=INT)
READIED = _kind("readied", "the message is ready in a queue, in its place in the order", queue=VALUE, place=INT)
DISPATCHED = _kind("dispatched", "the queue gave the message to a client and holds it", queue=VALUE, place=INT, to=NODE)
REQUEUED = _kind("requeued", "a message that was given out is ready again", queue=VALUE, place=INT, was=INT)
SETTLED = _kind("settled", "the message left the queue for good", queue=VALUE, place=INT, reason=VALUE)
RETURNED = _kind("returned", "the publisher has its message back: no queue was there to take it", reason=VALUE)
SUBSCRIBED = _kind("subscribed", "the queue has this consumer", queue=VALUE, to=NODE, prefetch=INT)
UNSUBSCRIBED = _kind("unsubscribed", "the queue no longer has this consumer", queue=VALUE, to=NODE, reason=VALUE)

REPLICATED = _kind("replicated", "the follower has the record in its copy of the partition", partition=PARTITION, offset=INT)
ADVANCED = _kind(
    "advanced",
    "the replica's high watermark rose to this offset: all before it is committed",
    partition=PARTITION,
    offset=INT,
)
TRUNCATED = _kind(
    "truncated",
    "the replica cut off so many records, from this offset on, that its leader's log does not have",
    partition=PARTITION, offset=INT, records=INT,
)  # fmt: skip
PROMOTED = _kind("promoted", "the broker was told that it leads the partition", partition=PARTITION, epoch=INT)
DEMOTED = _kind("demoted", "the broker was told whom to follow (None: nobody)", partition=PARTITION, leader=VALUE, epoch=INT)
ELECTED = _kind(
    "elected", "the controller made this broker the leader (None: nobody)", partition=PARTITION, leader=VALUE, epoch=INT
)
SHRUNK = _kind(
    "shrunk", "the replica is not in sync any more; these still are", partition=PARTITION, replica=NODE, isr=VALUE
)
EXPANDED = _kind("expanded", "the replica is in sync again; now these are", partition=PARTITION, replica=NODE, isr=VALUE)
FENCED = _kind("fenced", "the controller takes the broker for gone", broker=NODE, reason=VALUE)
UNFENCED = _kind("unfenced", "the controller takes the broker for live again", broker=NODE)
TRIMMED = _kind(
    "trimmed",
    "the log's oldest records are gone, so many; it begins at this offset",
    partition=PARTITION,
    offset=INT,
    records=INT,
)
COMPACTED = _kind(
    "compacted",
    "the cleaner took the record out: a later one has its key, or its time is over",
    partition=PARTITION,
    offset=INT,
)

BATCHED = _kind(
    "batched", "the producer closed a batch and sends it as one request", partition=PARTITION, records=INT, bytes=INT
)
IDENTIFIED = _kind("identified", "the broker gave the producer its id and epoch", producer=INT, epoch=INT, transaction=VALUE)
BEGUN = _kind("begun", "the transaction is open", transaction=VALUE, producer=INT, epoch=INT)
DECIDED = _kind("decided", "from here on the transaction's outcome is fixed", transaction=VALUE, outcome=VALUE, reason=VALUE)
MARKED = _kind("marked", "the marker that ends a transaction is in the log", partition=PARTITION, offset=INT, outcome=VALUE)
CONCLUDED = _kind("concluded", "the transaction has ended everywhere", transaction=VALUE, outcome=VALUE)
PLEDGED = _kind(
    "pledged",
    "the group's next offset will be stored if the transaction commits",
    partition=PARTITION,
    offset=INT,
    group=VALUE,
)

SUMMONED = _kind(
    "summoned", "the group's members are called together: a rebalance began", group=VALUE, generation=INT, reason=VALUE
)
REBALANCED = _kind(
    "rebalanced", "the group has a new assignment, in this generation", group=VALUE, generation=INT, members=INT
)
ADMITTED = _kind("admitted", "the group has this consumer as a member", group=VALUE, member=VALUE, consumer=NODE)
REMOVED = _kind("removed", "the group no longer has this member", group=VALUE, member=VALUE, reason=VALUE)
JOINED = _kind("joined", "the consumer is in the group, in this generation", group=VALUE, generation=INT, assignor=VALUE)
REVOKED = _kind("revoked", "the consumer gave the partition up, or lost it", partition=PARTITION, group=VALUE, reason=VALUE)
RESET = _kind(
    "reset", "the offset wanted is not in the log; the consumer goes on from this one", partition=PARTITION, offset=INT
)
STOPPED = _kind("stopped", "the node ended in good order, of its own accord")

DECLARED = _kind("declared", "a client declared the queue, and now it is there", queue=VALUE)
BOUND = _kind(
    "bound", "the exchange passes messages on to the queue or exchange, by this key", exchange=VALUE, to=VALUE, key=VALUE
)
DISMANTLED = _kind("dismantled", "the queue is gone, and all that was bound to it", queue=VALUE, reason=VALUE)
