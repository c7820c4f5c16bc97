"""What a run says: numbers, verdicts, causes and comparisons, all of them pure functions of a trace."""

from simulator.reading import checks, measures
from simulator.reading.alongside import Columns, alongside
from simulator.reading.causes import FIRSTS, Story, first, firsts, journey, why
from simulator.reading.checks import Verdict
from simulator.reading.comparison import Comparison, Divergence, compare, divergence
from simulator.reading.outcomes import Outcome, Row, Table, outcome, tabulate
from simulator.reading.routing_table import RoutingTable, routing_table
from simulator.reading.sentences import sentence

__all__ = [
    "FIRSTS", "Columns", "Comparison", "Divergence", "Outcome", "RoutingTable", "Row", "Story", "Table", "Verdict",
    "alongside", "checks", "compare", "divergence", "first", "firsts", "journey", "measures", "outcome", "routing_table",
    "sentence", "tabulate", "why",
]  # fmt: skip
