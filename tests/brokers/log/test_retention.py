from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.retention import DAY_MS, Log


def put(log: Log, now: float, key: str | None, value: object) -> int:
    return log.append(Entry(0, value, key=key, tombstone=value is None, timestamp=now))  # type: ignore[arg-type]


def written(log: Log, *records: str, now: float = 0.0) -> Log:
    """``written(log, "a=1", "a=")``: a value for the key a, then a tombstone."""
    for record in records:
        key, value = record.split("=")
        put(log, now, key, value or None)
    return log


def shown(log: Log) -> list[str]:
    return [f"{record.offset}:{record.key}={record.record or ''}" for record in log]


def compacted(**settings: float) -> Log:
    return Log(cleanup_policy=["compact"], segment_bytes=2, **settings)  # type: ignore[arg-type]


def test_a_segment_is_rolled_when_it_is_full_or_too_old() -> None:
    log = Log(segment_bytes=3, segment_ms=100)
    for now in (0, 1, 2, 3, 104):
        put(log, now, "a", "1")

    assert log.segments == (0, 3, 4)


def test_old_segments_are_deleted_as_a_whole_when_their_latest_record_is_too_old() -> None:
    log = Log(segment_bytes=2, retention_ms=100)
    for now in (0, 50, 60):
        put(log, now, "a", "1")

    early, late = log.delete(150), log.delete(151)

    assert (early, late, log.start, log.end) == (0, 2, 2, 3)


def test_even_the_active_segment_goes_when_all_in_it_is_too_old_and_offsets_go_on() -> None:
    log = written(Log(retention_ms=100), "a=1", "a=2")

    log.delete(101)

    assert (list(log), log.start) == ([], 2)
    assert put(log, 102, "a", "3") == 2


def test_size_retention_keeps_at_least_the_bytes_it_is_told_to() -> None:
    log = written(Log(segment_bytes=2, retention_bytes=3, retention_ms=-1), "a=1", "a=2", "a=3", "a=4", "a=5", "a=6")

    log.delete(0)

    # Without the next segment of two bytes only two would be left.
    assert [record.offset for record in log] == [2, 3, 4, 5]


def test_what_is_not_committed_is_not_deleted() -> None:
    log = written(Log(segment_bytes=1, retention_ms=10), "a=1", "a=2", "a=3")

    log.delete(100, high_watermark=1)

    assert log.start == 1


def test_reading_what_was_deleted_is_out_of_range() -> None:
    log = written(Log(retention_ms=10), "a=1", "a=2")
    log.delete(100)

    with pytest.raises(Refused, match="OFFSET_OUT_OF_RANGE: the log has the offsets 2 to 2, not 0"):
        log.read(0)


def test_compaction_keeps_the_latest_record_of_each_key_under_its_old_offset() -> None:
    log = written(compacted(), "a=1", "b=1", "a=2", "c=1", "x=1")

    gone = log.compact(1)

    assert [record.offset for record in gone] == [0]
    assert shown(log) == ["1:b=1", "2:a=2", "3:c=1", "4:x=1"]
    assert [record.offset for record in log.read(0, most=2)] == [1, 2]


def test_the_active_segment_is_never_compacted() -> None:
    log = written(compacted(), "a=1", "a=2", "a=3")

    log.compact(1)

    assert shown(log) == ["1:a=2", "2:a=3"]


def test_a_tombstone_stays_for_a_day_after_the_cleaning_that_it_survived() -> None:
    log = written(compacted(), "a=1", "a=", "x=1")
    log.compact(1_000)
    after_first = shown(log)
    written(log, "x=2", "x=3", "x=4", "x=5")

    log.compact(999 + DAY_MS)
    before_the_horizon = "1:a=" in shown(log)
    written(log, "x=6", "x=7", "x=8", "x=9")
    log.compact(1_000 + DAY_MS)

    assert after_first == ["1:a=", "2:x=1"]
    assert before_the_horizon
    assert "1:a=" not in shown(log)


def test_a_log_that_is_clean_enough_is_left_alone() -> None:
    log = written(compacted(), "a=1", "b=1", "c=1", "d=1", "x=1")
    log.compact(1)
    written(log, "a=2", "a=3")

    assert log.dirty_ratio(2) < 0.5
    assert log.compact(2) == []


def test_young_records_are_not_compacted() -> None:
    log = written(compacted(min_compaction_lag_ms=100), "a=1", "a=2", "a=3")

    early, late = log.compact(99), log.compact(100)

    assert early == []
    assert [record.offset for record in late] == [0]


def test_a_compacted_topic_refuses_a_record_without_a_key() -> None:
    with pytest.raises(Refused, match="INVALID_RECORD"):
        put(compacted(), 0, None, "1")


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(Refused, match='cleanup_policy knows no "keep"'):
        Log(cleanup_policy=["keep"])


actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from("abc"), st.sampled_from([None, "1", "2"])),
        st.tuples(st.just("compact"), st.integers(0, 40), st.none()),
        st.tuples(st.just("delete"), st.integers(0, 40), st.none()),
    ),
    max_size=50,
)


@given(actions, st.sampled_from([("delete",), ("compact",), ("compact", "delete")]), st.integers(1, 4))
def test_no_offset_ever_changes_and_compaction_never_changes_what_a_key_is(
    doing: list[tuple[str, object, object]], policy: tuple[str, ...], segment: int
) -> None:
    log = Log(cleanup_policy=policy, segment_bytes=segment, retention_ms=50, delete_retention_ms=20)
    said: dict[int, Entry] = {}
    now = 0.0
    for what, how, value in doing:
        if what == "append":
            offset = put(log, now, str(how), value)
            said[offset] = list(log)[-1]
        else:
            now += float(str(how))
            before = table(log)
            getattr(log, what)(now)
            assert what == "delete" or table(log) == before

    assert sorted(said) == list(range(log.end))
    assert all(said[record.offset] == record for record in log)
    if "compact" not in policy:
        assert [record.offset for record in log] == list(range(log.start, log.end))


def table(log: Log) -> dict[str | None, object]:
    """What a reader of the whole log takes each key to be."""
    known = {record.key: record.record for record in log}
    return {key: value for key, value in known.items() if value is not None}
