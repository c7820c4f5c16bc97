"""The errors of Amazon SQS, under their own names. Each sentence says what was refused and what would be right."""

from __future__ import annotations


class SqsError(ValueError):
    """What Amazon SQS answers instead of doing what it was asked to; ``code`` is AWS's name for it."""

    @property
    def code(self) -> str:
        return type(self).__name__


class InvalidAttributeValue(SqsError):
    """A queue's attribute has a value that it can't have."""


class InvalidParameterValue(SqsError):
    """A parameter of a request has a value that it can't have, or not for this queue, or not any more."""


class MissingParameter(SqsError):
    """A parameter that the request needs is missing."""


class ReceiptHandleIsInvalid(SqsError):
    """This queue never gave out such a receipt handle."""


class MessageNotInflight(SqsError):
    """The message is not in flight, so there is no visibility timeout to change."""


class OverLimit(SqsError):
    """So many messages are in flight that no more are handed out."""


class UnsupportedOperation(SqsError):
    """The queue can't do this, or not now."""


class EmptyBatchRequest(SqsError):
    """A batch has no entries."""


class TooManyEntriesInBatchRequest(SqsError):
    """A batch has more than ten entries."""


class BatchEntryIdsNotDistinct(SqsError):
    """Two entries of a batch have the same id."""


class InvalidBatchEntryId(SqsError):
    """An entry's id is not made of 1 to 80 letters, digits, hyphens and underscores."""


class BatchRequestTooLong(SqsError):
    """The entries of a batch together are longer than a message may be."""


class PurgeQueueInProgress(SqsError):
    """The queue was purged less than a minute ago."""
