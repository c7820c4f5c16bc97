"""How the broker refuses: AMQP's own names and numbers."""

from __future__ import annotations

CODES = {
    "NO_ROUTE": 312,
    "ACCESS_REFUSED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_LOCKED": 405,
    "PRECONDITION_FAILED": 406,
    "COMMAND_INVALID": 503,
    "CHANNEL_ERROR": 504,
    "NOT_ALLOWED": 530,
    "NOT_IMPLEMENTED": 540,
}
"""Reply codes by name. Source: AMQP 0-9-1 specification, section 1.2 (constants)."""

_CLOSES_CONNECTION = 500
"""From this number on, an error closes the whole connection; below it, only the channel."""


class AmqpError(Exception):
    """The broker refused an operation, and closed the channel on which it was asked (or its whole connection).

    ``name`` is AMQP's ("PRECONDITION_FAILED"), ``code`` its number, and the text says what was wrong and what would be right.
    """

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name} - {sentence}")
        self.name = name
        self.code = CODES[name]

    @property
    def closes_connection(self) -> bool:
        """Whether the connection goes with the channel."""
        return self.code >= _CLOSES_CONNECTION
