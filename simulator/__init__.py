"""A simulator of event-driven systems: say what there is, run it, read the trace."""

from simulator.brokers.log.cluster import KafkaTopic
from simulator.brokers.log.nodes import Election, KafkaBroker, KafkaController
from simulator.brokers.log.topic import Topic
from simulator.brokers.queue.declared import Bound, ExchangeDeclared, QueueDeclared
from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.sqs.attributes import RedrivePolicy
from simulator.brokers.sqs.node import SqsQueue
from simulator.clients.arrivals import Bursty, Every, ListedKeys, Numbered, Poisson, UniformKeys, ZipfKeys
from simulator.clients.breaker import CircuitBreaker
from simulator.clients.caller import Caller
from simulator.clients.consumer import Consumer
from simulator.clients.kafka_consumer import KafkaConsumer
from simulator.clients.kafka_links import kafka_links
from simulator.clients.kafka_processor import KafkaProcessor
from simulator.clients.kafka_producer import KafkaProducer
from simulator.clients.producer import Producer
from simulator.clients.publisher import Publisher
from simulator.clients.retry import Retry
from simulator.clients.service import Call, Service
from simulator.clients.shovel import Shovel
from simulator.clients.sqs_consumer import SqsConsumer
from simulator.clients.sqs_producer import SqsProducer
from simulator.clients.sqs_redrive import SqsRedrive
from simulator.clients.subscriber import Subscriber
from simulator.engine import BehaviourError, RunStopped, run
from simulator.message import Message
from simulator.network import (
    Crash,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Fixed,
    Link,
    LogNormal,
    Pause,
    Slow,
    Uniform,
)
from simulator.scenario import Node, Scenario, ScenarioError
from simulator.storage import TraceFileError
from simulator.trace import Step, Trace
from simulator.values import Range, Span

__all__ = [
    "BehaviourError", "Bound", "Bursty", "Call", "Caller", "CircuitBreaker", "Consumer", "Crash", "Cut", "Drop",
    "Duplicate", "Election", "Every", "ExchangeDeclared", "Exponential", "Fixed", "KafkaBroker", "KafkaConsumer",
    "KafkaController", "KafkaProcessor", "KafkaProducer", "KafkaTopic", "Link", "ListedKeys", "LogNormal", "Message",
    "Node", "Numbered", "Pause", "Poisson", "Producer", "Publisher", "QueueDeclared", "RabbitMQ", "Range",
    "RedrivePolicy", "Retry", "RunStopped", "Scenario", "ScenarioError", "Service", "Shovel", "Slow", "Span", "SqsConsumer",
    "SqsProducer", "SqsQueue", "SqsRedrive", "Step", "Subscriber", "Topic", "Trace", "TraceFileError", "Uniform",
    "UniformKeys", "ZipfKeys", "kafka_links", "run",
]  # fmt: skip
