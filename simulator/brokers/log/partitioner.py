"""Which partition a record belongs to, decided as Apache Kafka's producer does.

Source: ``org.apache.kafka.common.utils.Utils.murmur2`` and ``BuiltInPartitioner.partitionForKey`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from functools import lru_cache

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_M = 0x5BD1E995
_R = 24


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of the bytes, signed as Java gives it: from -2**31 to 2**31 - 1."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for place in range(0, whole, 4):
        k = int.from_bytes(data[place : place + 4], "little")
        k = k * _M & _MASK
        k ^= k >> _R
        k = k * _M & _MASK
        h = h * _M & _MASK ^ k
    if whole < length:
        h ^= int.from_bytes(data[whole:], "little")
        h = h * _M & _MASK
    h ^= h >> 13
    h = h * _M & _MASK
    h ^= h >> 15
    return h - (1 << 32) if h & 0x80000000 else h


@lru_cache(maxsize=65_536)
def partition_for_key(key: str, partitions: int) -> int:
    """The partition of a record with this key (its UTF-8 bytes) in a topic of so many partitions."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
