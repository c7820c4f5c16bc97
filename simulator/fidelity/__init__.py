"""How true the three brokers are: what is modelled, what is simplified, what is left out, and what holds it.

One table per broker, a TOML file beside this module; `docs/fidelity.md` and the view `simulator.views.fidelity` show it. The
tests in `tests/fidelity/` hold every row against the code: the settings, defaults and tests that it names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from attrs import field, frozen
from cattrs import Converter
from cattrs.strategies import configure_union_passthrough

from simulator.validation import did_you_mean

Status: TypeAlias = Literal["modelled", "simplified", "left out"]
Value: TypeAlias = str | int | float | bool

STATUSES: tuple[Status, ...] = ("modelled", "simplified", "left out")

SYSTEMS = ("kafka", "rabbitmq", "sqs")
"""The brokers that have a table, by the names that `fidelity_of` takes."""

OURS = "tests of our own"
"""What judges a test that no file of the table names a judge for."""


@frozen(kw_only=True)
class Setting:
    """A setting of the real broker or its client, and the one here that bears its name."""

    name: str
    """As the real system spells it."""
    default: Value
    """In the real system; "none" where it has none, "required" where it must be given."""
    unit: str = ""
    """The default's, where the name does not tell it; here it is the same."""
    source: str
    """Where that default is written: a key of `System.sources`."""
    here: tuple[str, ...] = ()
    """Our settings of this meaning, as ``Class.field``; empty: there is none."""
    here_default: Value | None = None
    """The default here, where it is another; None: it is the same."""
    why: str = ""
    """Why it is another: the end of a sentence."""


@frozen(kw_only=True)
class Mechanism:
    """One row: something that the real broker does."""

    area: str
    name: str
    status: Status
    does: str = ""
    """What happens here as it does there."""
    but: str = ""
    """What does not: what is simplified, or left out."""
    settings: tuple[Setting, ...] = ()
    tests: tuple[str, ...] = ()
    """The tests that hold it, as pytest names them: ``tests/…/test_file.py::test_name``."""

    def sentence(self) -> str:
        """What is here, then what is not."""
        return f"{self.does} {self.but}".strip()


@frozen(kw_only=True)
class Own:
    """Settings here that the real broker does not have."""

    settings: tuple[str, ...]
    says: str


@frozen(kw_only=True)
class Disagreement:
    """Where what can judge us does not agree with itself."""

    says: str
    followed: str
    """Whom the simulator follows."""
    test: str = ""


@frozen(kw_only=True)
class System:
    """One broker's table."""

    title: str
    version: str
    """The version that is modelled."""
    about: str
    parts: tuple[str, ...]
    """The classes here that stand for it and its clients."""
    sources: Mapping[str, str]
    """Where the real defaults are written, by short name."""
    judges: Mapping[str, str]
    """What judges the tests, by test file."""
    mechanisms: tuple[Mechanism, ...]
    own: tuple[Own, ...] = ()
    disagreements: tuple[Disagreement, ...] = field(default=())

    def areas(self) -> dict[str, list[Mechanism]]:
        """The rows by area, in the table's order."""
        found: dict[str, list[Mechanism]] = {}
        for each in self.mechanisms:
            found.setdefault(each.area, []).append(each)
        return found

    def settings(self) -> Iterator[Setting]:
        """The settings of all rows."""
        for row in self.mechanisms:
            yield from row.settings

    def held_by(self, mechanism: Mechanism) -> dict[str, list[str]]:
        """A row's tests by what judges them, `OURS` last."""
        held: dict[str, list[str]] = {}
        for test in mechanism.tests:
            held.setdefault(self.judges.get(test.split("::")[0], OURS), []).append(test)
        return dict(sorted(held.items(), key=lambda judged: judged[0] == OURS))


_converter = Converter(forbid_extra_keys=True)
configure_union_passthrough(Value, _converter)


@cache
def fidelity_of(system: str) -> System:
    """The table of "kafka", "rabbitmq" or "sqs". Raises ValueError for another name."""
    if system not in SYSTEMS:
        raise ValueError(f'There is no table of "{system}"; {did_you_mean(system, SYSTEMS)}')
    raw: dict[str, Any] = tomllib.loads(files(__name__).joinpath(f"{system}.toml").read_text(encoding="utf-8"))
    return _converter.structure(raw, System)
