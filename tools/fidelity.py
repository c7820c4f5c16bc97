"""``make fidelity``: the page that tells what is modelled, simplified and left out of each broker, written from its table."""

from __future__ import annotations

from pathlib import Path

from simulator.fidelity import STATUSES, SYSTEMS, Mechanism, Own, Setting, System, fidelity_of
from simulator.views.fidelity import SIGNS, counted, valued

PAGE = Path(__file__).parents[1] / "docs" / "fidelity.md"

_HEAD = """# What the brokers here are true to, and what they are not

Three brokers are modelled here: one like Apache Kafka, one like RabbitMQ, one like Amazon SQS. This page tells, mechanism by
mechanism, what is as in the real one, what is simplified, and what is left out; which settings there are under their real names,
with the real defaults and where those are written; and which test holds it, against what.

- **{modelled} modelled**: what a client can see of it is as with the real one, as far as the named tests go.
- **{simplified} simplified**: its point is there; the last sentences say what is not.
- **{left out} left out**: nothing of it is there.

Common to all three: time is simulated, in milliseconds; nodes talk over links only, which can lose, copy, delay and reorder;
what a broker decides and stores costs no time; nothing is encrypted, and nobody is refused for who they are.

`make conformance` runs the comparisons with real systems, those of them that are installed. `make fidelity` writes this page
from the tables in `simulator/fidelity/`; tests keep the tables true to the code: every test, setting and default that they name
is there.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}.")


def page() -> str:
    """The whole page, as Markdown."""
    systems = [fidelity_of(name) for name in SYSTEMS]
    rows = [row for system in systems for row in system.mechanisms]
    count = {status: sum(row.status == status for row in rows) for status in STATUSES}
    lines = [_HEAD.format(**{status: f"{SIGNS[status]} {count[status]}" for status in STATUSES})]
    lines += [f"- [{system.title}](#{_anchor(_title(system))}): {counted(system.mechanisms)}" for system in systems]
    for system in systems:
        lines += ["", *_section(system)]
    return "\n".join(lines) + "\n"


def _section(system: System) -> list[str]:
    lines = [f"## {_title(system)}", "", system.about.strip()]
    for area, rows in system.areas().items():
        lines += ["", f"### {system.title}: {area[0].lower()}{area[1:]}", ""]
        lines += _table(("mechanism", "here", "what that means", "held by"), [_row(system, row) for row in rows])
        settings = [setting for row in rows for setting in row.settings]
        if settings:
            lines += ["", *_table(("setting", "default there", "here", "source"), [_setting(each) for each in settings])]
    lines += ["", f"### {system.title}: what only the simulator has", ""]
    lines += _table(("setting", "what it is"), [_own(each) for each in system.own])
    lines += ["", f"### {system.title}: sources of the defaults", ""]
    lines += [f"- {name}: {text}" for name, text in system.sources.items()]
    if system.disagreements:
        lines += ["", f"### {system.title}: where the references disagree", ""]
        told = [(each.says, each.followed, _linked(each.test) if each.test else "") for each in system.disagreements]
        lines += _table(("what is said", "followed here", "held by"), told)
    return lines


def _row(system: System, row: Mechanism) -> tuple[str, ...]:
    held = "<br>".join(f"*{judge}*: {'; '.join(map(_linked, tests))}" for judge, tests in system.held_by(row).items())
    return f"**{row.name}**", f"{SIGNS[row.status]} {row.status}", row.sentence(), held


def _setting(setting: Setting) -> tuple[str, ...]:
    here = ", ".join(f"`{place}`" for place in setting.here) or "not here"
    if setting.here_default is not None:
        here += f" = {valued(setting.here_default, setting.unit)}: {setting.why}"
    return f"`{setting.name}`", valued(setting.default, setting.unit), here, setting.source


def _own(own: Own) -> tuple[str, ...]:
    return ", ".join(f"`{place}`" for place in own.settings), own.says


def _linked(test: str) -> str:
    """A test's name as the sentence that it is, linked to its file."""
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{file})"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    cells = [heads, tuple("---" for _ in heads), *rows]
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in cells]


def _title(system: System) -> str:
    return f"{system.title} {system.version}"


def _anchor(title: str) -> str:
    """The address of a heading, as GitHub makes it."""
    return "".join(each for each in title.lower().replace(" ", "-") if each.isalnum() or each in "-_")


if __name__ == "__main__":
    main()
