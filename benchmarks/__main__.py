"""``make bench``: the engine beside a hand-written loop and idiomatic SimPy, as ratios within one run."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import heap_loop, idiomatic
from benchmarks.workload import reference
from simulator import run

SEED = 7
ROUNDS = 7
STEPS_PER_MS = 4.49
"""About what the reference workload writes, to turn wanted steps into a duration."""


def cpu(act: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of one call, with the garbage of the one before it gone, and what it gave."""
    gc.collect()
    gc.disable()
    try:
        before = time.process_time()
        given = act()
        return time.process_time() - before, given
    finally:
        gc.enable()


def against_others(steps: int = 100_000) -> dict[str, float]:
    """CPU time per traced step of the three, in turns, so that what else the machine does strikes all alike."""
    duration = steps / STEPS_PER_MS
    per_step: dict[str, list[float]] = {"heap loop": [], "engine": [], "one process per message": []}
    for _ in range(ROUNDS):
        taken, loop = cpu(lambda: heap_loop.run(duration, SEED))
        per_step["heap loop"].append(taken / (len(loop) // 32))
        taken, trace = cpu(lambda: run(reference(duration), SEED, progress=False))
        per_step["engine"].append(taken / len(trace))
        assert bytes(loop) == bytes(trace.buffers[0]), "the hand-written loop does not do the same work any more"
        taken, other = cpu(lambda: idiomatic.run(duration, SEED))
        per_step["one process per message"].append(taken / (len(other) // 32))
    engine, loop_time, other_time = (median(per_step[name]) for name in ("engine", "heap loop", "one process per message"))
    pairs = zip(per_step["engine"], per_step["heap loop"], per_step["one process per message"], strict=True)
    ratios = [(mine / by_hand, mine / processes) for mine, by_hand, processes in pairs]
    return {
        "steps": float(len(trace)),
        "engine, µs a step": engine * 1e6,
        "heap loop, µs a step": loop_time * 1e6,
        "one process per message, µs a step": other_time * 1e6,
        "engine / heap loop": median(each for each, _ in ratios),
        "engine / one process per message": median(each for _, each in ratios),
    }


def flatness() -> dict[str, float]:
    """CPU time per step of a long run against many short ones that write as many steps."""
    short, long = 10_000, 1_000_000
    brief, lengthy = [], []
    for _ in range(3):
        taken, written = cpu(
            lambda: sum(len(run(reference(short / STEPS_PER_MS), seed, progress=False)) for seed in range(20))
        )
        brief.append(taken / written)
        taken, trace = cpu(lambda: run(reference(long / STEPS_PER_MS), SEED, progress=False))
        lengthy.append(taken / len(trace))
    return {"a step of 1,000,000 / a step of 10,000": median(lengthy) / median(brief)}


_MEASURE_AND_CHECK = """
import sys
from benchmarks.workload import reference
from simulator import run
from simulator.reading import checks, outcome
trace = run(reference(float(sys.argv[1])), 7, progress=False)
outcome(trace)
checks.processed_once(trace, "billing"), checks.per_key_order(trace, "billing"), checks.at_least_once(trace, "billing")
checks.no_lost_acknowledged_write(trace)
status = open("/proc/self/status").read()
print(len(trace), status.split("VmHWM:")[1].split()[0])
"""


def memory() -> dict[str, float]:
    """Memory: what Python allocates at the peak of a run, and all that a process holds which runs, measures and checks."""
    tracemalloc.start()
    trace = run(reference(300_000 / STEPS_PER_MS), SEED, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    found = {
        "bytes a step at the peak of a run of 300,000 steps": peak / len(trace),
        "bytes a step in the finished trace's own buffers": sum(len(each) for each in trace.buffers) / len(trace),
    }
    if Path("/proc/self/status").exists():
        command = [sys.executable, "-c", _MEASURE_AND_CHECK, str(1_000_000 / STEPS_PER_MS)]
        steps, peak_kib = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        found[f"MiB of a process that runs, measures and checks {int(steps):,} steps"] = int(peak_kib) / 1024
    return found


def main() -> None:
    for name, part in (("Speed", against_others), ("Flatness", flatness), ("Memory", memory)):
        print(f"\n{name}")
        for what, figure in part().items():
            print(f"  {what:<62} {figure:>12,.2f}")


if __name__ == "__main__":
    main()
