"""A mock cluster of librdkafka's, the library under Kafka's client for Python, and how to reach it from there.

The cluster lives in a librdkafka handle of its own; any client, in any process, may use it by its address. Creating topics,
taking brokers down and answering with errors is no part of the client's interface: these are functions of the library itself
(``rdkafka_mock.h``, experimental), called by their names. The mock does not filter aborted records, fence producers, recognise
what was sent twice or know in-sync replicas; where else it differs from a real cluster stands with the other disagreements in
`simulator/fidelity/kafka.toml`.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from simulator.brokers.log.errors import CODES

HOW_TO_INSTALL = 'pip install "confluent-kafka>=2.10", for the platforms that it has wheels for'

PRODUCE = 0
"""The number that a produce request has in Kafka's protocol."""

_WORDS = 512


def _signatures() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    buffer = (ctypes.c_char_p, ctypes.c_size_t)
    return {
        "rd_kafka_conf_new": (handle, ()),
        "rd_kafka_conf_set": (number, (handle, text, text, *buffer)),
        "rd_kafka_new": (handle, (number, handle, *buffer)),
        "rd_kafka_destroy": (None, (handle,)),
        "rd_kafka_handle_mock_cluster": (handle, (handle,)),
        "rd_kafka_mock_cluster_bootstraps": (text, (handle,)),
        "rd_kafka_mock_topic_create": (number, (handle, text, number, number)),
        "rd_kafka_mock_partition_set_leader": (number, (handle, text, number, number)),
        "rd_kafka_mock_coordinator_set": (number, (handle, text, text, number)),
        "rd_kafka_mock_broker_set_down": (number, (handle, number)),
        "rd_kafka_mock_broker_set_up": (number, (handle, number)),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (handle, number)),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            (handle, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)),
        ),
    }


def library(client: ModuleType) -> Any:
    """The library that the client is linked with, by the functions that are needed here. Raises AttributeError where its
    functions can't be found (as on Windows, whose loader does not look for them behind the client's own module)."""
    found = ctypes.CDLL(client.cimpl.__file__)
    for name, (result, arguments) in _signatures().items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class MockCluster:
    """Brokers 1, 2, 3 … on loopback ports of their own. ``bootstrap`` is their address."""

    def __init__(self, library: Any, cluster: int) -> None:
        self._library = library
        self._cluster = cluster
        self.bootstrap: str = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
        self._made = 0
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 200)

    def new_name(self, prefix: str) -> str:
        """A name that no topic and no group has had."""
        self._made += 1
        return f"{prefix}-{self._made}"

    def topic(self, partitions: int, *, name: str = "") -> str:
        """A new topic."""
        name = name or self.new_name("topic")
        self._must(self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 3))
        return name

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Make a broker a partition's leader."""
        self._must(self._library.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker))

    def coordinate(self, group: str, broker: int) -> None:
        """Make a broker a group's coordinator."""
        self._must(self._library.rd_kafka_mock_coordinator_set(self._cluster, b"group", group.encode(), broker))

    def down(self, broker: int) -> None:
        """End a broker's connections and let it take no new ones. Who leads stays as it is."""
        self._must(self._library.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def up(self, broker: int) -> None:
        """Let it take connections again."""
        self._must(self._library.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def answer_next(self, request: int, *errors: str) -> None:
        """Answer the next requests of this kind with these errors."""
        codes = (ctypes.c_int * len(errors))(*(CODES[error] for error in errors))
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def _must(self, error: int) -> None:
        assert error == 0, f"librdkafka's mock cluster refuses, with error {error}."


@contextlib.contextmanager
def running(library: Any, *, brokers: int = 3) -> Iterator[MockCluster]:
    """A cluster that is gone afterwards."""
    words = ctypes.create_string_buffer(_WORDS)
    settings = library.rd_kafka_conf_new()
    # Level 3: it would say on the console that it is a mock.
    for name, value in {"test.mock.num.brokers": brokers, "log_level": 3}.items():
        refused = library.rd_kafka_conf_set(settings, name.encode(), str(value).encode(), words, _WORDS)
        assert not refused, words.value.decode()
    handle = library.rd_kafka_new(0, settings, words, _WORDS)
    assert handle, words.value.decode()
    try:
        yield MockCluster(library, library.rd_kafka_handle_mock_cluster(handle))
    finally:
        library.rd_kafka_destroy(handle)
