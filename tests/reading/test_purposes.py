"""What the messages on the wire are for."""

from simulator import (
    Consumer,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProducer,
    KafkaTopic,
    Link,
    Producer,
    Publisher,
    RabbitMQ,
    Scenario,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    Subscriber,
    Topic,
    kafka_links,
    run,
)  # fmt: skip
from simulator.reading import measures, outcome


def _cluster(replication_factor: int) -> Scenario:
    nodes = [
        KafkaProducer("shop", 100, linger_ms=0),
        KafkaController("controller", KafkaTopic("orders", replication_factor=replication_factor)),
        *(KafkaBroker(name, group_initial_rebalance_delay_ms=0) for name in ("one", "two")),
        KafkaConsumer("billing", auto_offset_reset="earliest"),
    ]
    return Scenario(nodes, kafka_links(nodes), duration=3_000)


def _in_a_row(*nodes) -> Scenario:
    shop, broker, billing = nodes
    return Scenario(nodes, [Link(shop.name, broker.name), Link(broker.name, billing.name)], duration=3_000)


SYSTEMS = [
    _in_a_row(Producer("shop", 100), Topic("orders"), Consumer("billing", auto_offset_reset="earliest")),
    _in_a_row(
        Publisher("shop", 100, routing_key="orders"), RabbitMQ("rabbit", queues=["orders"]), Subscriber("billing", "orders")
    ),
    _in_a_row(SqsProducer("shop", 100), SqsQueue("orders"), SqsConsumer("billing")),
    _cluster(2),
]  # fmt: skip


def test_every_message_is_for_something_whatever_the_broker():
    for scenario in SYSTEMS:
        trace = run(scenario)
        told = measures.purposes(trace)

        assert sum(told.values()) == measures.messages_on_the_wire(trace)
        # Every order crosses two links, and is acknowledged; the last one may still be under way.
        made = sum(1 for _ in trace.select("created"))
        assert told["records"] >= 2 * (made - 1)
        assert told["acknowledgements"] >= made - 1


def test_only_replicas_are_replicated():
    alone, copied = (measures.purposes(run(_cluster(replicas))) for replicas in (1, 2))

    assert [measures.purposes(run(scenario))["replication"] for scenario in SYSTEMS[:3]] == [0, 0, 0]
    assert alone["replication"] < copied["replication"]


def test_an_answer_without_records_is_polling():
    idle = run(_in_a_row(Producer("shop", 10_000), Topic("orders"), Consumer("billing")))

    told = measures.purposes(idle)

    assert told["records"] == told["acknowledgements"] == 0
    assert told["polling"] > 0


def test_a_broker_s_outcome_tells_what_its_guarantees_cost():
    for scenario in SYSTEMS[1:]:
        trace = run(scenario)
        rows = {row.name: row.value for row in outcome(trace)}

        assert rows["of them carrying no record"] + measures.purposes(trace)["records"] == rows["messages on the wire"]
        assert rows["acknowledged but lost"] == 0
