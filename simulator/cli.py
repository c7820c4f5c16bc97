"""The simulator without a notebook: `python -m simulator list`, `run`, `check` and `lab`.

Exit codes: 0 when all is well, 1 when a run or a file could not be had, 2 for a command that cannot be understood, 3 from
`check` when a guarantee was broken.
"""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from simulator import parameters
from simulator.engine import BehaviourError, RunStopped
from simulator.engine import run as run_scenario
from simulator.reading import checks
from simulator.scenario import ScenarioError
from simulator.scenarios import SCENARIOS
from simulator.storage import TraceFileError
from simulator.trace import Trace
from simulator.validation import did_you_mean

BROKEN = 3

app = typer.Typer(
    name="python -m simulator",
    help="Run the course's scenarios and check what happened.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_() -> None:
    """List the named scenarios with what each may be given."""
    for name, scenario in SCENARIOS.items():
        typer.echo(f"{name}: {parameters.summary(scenario)}")
        for parameter in parameters.parameters(scenario):
            setting = shlex.quote(f"{parameter.name}={written(parameter.default)}")
            typer.echo(f"    --set {setting:<32} {parameter.expected}")


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A scenario's name, from `list`.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter and its value, as in orders_per_second=50; repeat it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another run; the same seed, the same run.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the trace to this file, as JSON Lines.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page that replays the run without any program.")] = None,
) -> None:
    """Run a named scenario and say what happened."""
    if name not in SCENARIOS:
        refuse(f'There is no scenario "{name}"; {did_you_mean(name, SCENARIOS)}', code=2)
    try:
        scenario = parameters.make(SCENARIOS[name], pairs(settings or []))
    except (ValueError, ScenarioError) as error:
        refuse(str(error), code=2)
    for path in (out, html):
        if path is not None and not path.absolute().parent.is_dir():
            refuse(f"There is no folder {path.parent} to write {path.name} to; make it first.", code=2)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", RunStopped)
        try:
            trace = run_scenario(scenario, seed, save_to=out)
        except BehaviourError as error:
            refuse(str(error))
    first, last = trace.times
    typer.echo(f"{name}, seed {seed}: {len(trace):,} steps from {first:,.0f} to {last:,.0f} ms, digest {trace.digest}")
    for warning in told:
        typer.echo(str(warning.message), err=True)
    say(checks.every(trace))
    if out is not None:
        typer.echo(f"trace: {out}")
    if html is not None:
        from simulator.views.page import write_page
        from simulator.views.replay_data import MOST_STEPS

        shown = min(len(trace), MOST_STEPS)
        if shown == 0:
            refuse("There is nothing to replay: the run has no steps.")
        write_page(trace, html, last=shown - 1)
        typer.echo(f"page: {html}" + ("" if shown == len(trace) else f" (the first {shown:,} steps)"))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A trace that `run --out` wrote.")],
) -> None:
    """Judge a stored run: every guarantee with its verdict. Ends with code 3 when one was broken."""
    try:
        trace = Trace.load(file)
    except TraceFileError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{file} could not be read ({error.strerror}); name a file that `run --out` wrote.")
    typer.echo(f"{trace.scenario.name or file.name}, seed {trace.seed}: {len(trace):,} steps, digest {trace.digest}")
    if not say(checks.every(trace)):
        raise typer.Exit(BROKEN)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def lab(context: typer.Context) -> None:
    """Open the course in JupyterLab, as the command event-driven-lab does."""
    from simulator.course import main

    raise typer.Exit(main(context.args))


def pairs(settings: list[str]) -> dict[str, str]:
    """``["a=1", "b=2"]`` by name. Raises ValueError for one that is no pair."""
    found = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"--set {setting} names no value; write it like --set {setting}=…")
        found[name.strip()] = value
    return found


def written(value: Any) -> str:
    """A parameter's value as `--set` takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "start") and hasattr(value, "end"):
        return f"{value.start:g}..{value.end:g}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def say(verdicts: list[checks.Verdict]) -> bool:
    """Print the verdicts with their evidence, the broken ones first; whether all hold."""
    for verdict in sorted(verdicts, key=lambda each: each.holds):
        typer.echo(repr(verdict))
    return all(verdict.holds for verdict in verdicts)


def refuse(sentence: str, code: int = 1) -> NoReturn:
    """Say what is wrong and end."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
