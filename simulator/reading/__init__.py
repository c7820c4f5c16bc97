"""What a run says: numbers, verdicts, causes and comparisons, all of them pure functions of a trace."""

from simulator.reading import checks, measures
from simulator.reading.sentences import sentence

__all__ = ["checks", "measures", "sentence"]
