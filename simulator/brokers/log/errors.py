"""Apache Kafka's errors, by the names that they have in its protocol (``org.apache.kafka.common.protocol.Errors``, 4.0)."""

from __future__ import annotations

CODES: dict[str, int] = {
    "NONE": 0,
    "OFFSET_OUT_OF_RANGE": 1,
    "LEADER_NOT_AVAILABLE": 5,
    "NOT_LEADER_OR_FOLLOWER": 6,
    "REQUEST_TIMED_OUT": 7,
    "COORDINATOR_NOT_AVAILABLE": 15,
    "NOT_COORDINATOR": 16,
    "RECORD_LIST_TOO_LARGE": 18,
    "NOT_ENOUGH_REPLICAS": 19,
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": 20,
    "ILLEGAL_GENERATION": 22,
    "INCONSISTENT_GROUP_PROTOCOL": 23,
    "UNKNOWN_MEMBER_ID": 25,
    "INVALID_SESSION_TIMEOUT": 26,
    "REBALANCE_IN_PROGRESS": 27,
    "INVALID_REPLICATION_FACTOR": 38,
    "INVALID_CONFIG": 40,
    "OUT_OF_ORDER_SEQUENCE_NUMBER": 45,
    "INVALID_PRODUCER_EPOCH": 47,
    "INVALID_TXN_STATE": 48,
    "INVALID_PRODUCER_ID_MAPPING": 49,
    "INVALID_TRANSACTION_TIMEOUT": 50,
    "CONCURRENT_TRANSACTIONS": 51,
    "FENCED_LEADER_EPOCH": 74,
    "UNKNOWN_LEADER_EPOCH": 75,
    "OFFSET_NOT_AVAILABLE": 78,
    "MEMBER_ID_REQUIRED": 79,
    "PREFERRED_LEADER_NOT_AVAILABLE": 80,
    "GROUP_MAX_SIZE_REACHED": 81,
    "FENCED_INSTANCE_ID": 82,
    "ELIGIBLE_LEADERS_NOT_AVAILABLE": 83,
    "ELECTION_NOT_NEEDED": 84,
    "INVALID_RECORD": 87,
    "UNSTABLE_OFFSET_COMMIT": 88,
    "PRODUCER_FENCED": 90,
    "INVALID_UPDATE_VERSION": 95,
    "INELIGIBLE_REPLICA": 107,
}
"""Each error's number on the wire."""

NAMES = {code: name for name, code in CODES.items()}
"""Each error's name."""


RETRIABLE_AT_COORDINATOR = ("NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE")
"""A coordinator's answers after which a client looks for the coordinator and asks again."""


def at_coordinator(outcome: str) -> str:
    """How a coordinator tells what became of a record of its own: it speaks of itself, not of the partition that it leads.

    Source: ``CoordinatorOperationExceptionHelper`` and ``TransactionStateManager.appendTransactionToLog`` (4.0).
    """
    told = {
        "NOT_LEADER_OR_FOLLOWER": "NOT_COORDINATOR",
        "NOT_ENOUGH_REPLICAS": "COORDINATOR_NOT_AVAILABLE",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND": "COORDINATOR_NOT_AVAILABLE",
    }
    return told.get(outcome, outcome)


class Refused(Exception):
    """What a broker will not do, under the real error's name, with a sentence of what would be right."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(f"{error}: {sentence}")
        self.error = error
        self.sentence = sentence

    @property
    def code(self) -> int:
        """The error's number on the wire."""
        return CODES[self.error]
