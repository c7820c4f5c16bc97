"""Run notebooks and store their outputs as everybody can read them: `python -m tools.notebooks notebooks`.

A stored output is deterministic text or a PNG. A widget's live view needs a kernel, and HTML or SVG is not
shown in a fresh clone or on GitHub, so of those only the text and PNG beside them are kept. What differs from
one machine or run to the next (execution times, kernel names, Python versions) is not stored: running the
same notebook again changes nothing in the repository.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# In the order of an output's keys: what a clone and GitHub show without trusting or running anything.
STORED = ("image/png", "text/markdown", "text/plain")

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main(arguments: list[str] | None = None) -> int:
    """Run and store every notebook named, or only check that they are stored as they should be."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__.split("\n", 1)[0])
    parser.add_argument("paths", type=Path, nargs="+", help="notebooks, or folders of them")
    parser.add_argument("--strip", action="store_true", help="run nothing, only clean what is stored")
    options = parser.parse_args(arguments)
    failed = False
    for path in notebooks_in(options.paths):
        notebook = nbformat.read(path, as_version=4)
        if not options.strip:
            print(f"running {path}", flush=True)
            try:
                execute(notebook, path.parent)
            except CellExecutionError as error:
                print(f"{path} was left as it was: {error}", file=sys.stderr)
                failed = True
                continue
        clean(notebook)
        nbformat.validate(notebook)
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return int(failed)


def notebooks_in(paths: list[Path]) -> list[Path]:
    """The notebooks among these files and folders, in order, without JupyterLab's checkpoints."""
    found = [
        file
        for path in paths
        for file in (sorted(path.rglob("*.ipynb")) if path.is_dir() else [path])
        if ".ipynb_checkpoints" not in file.parts
    ]
    if not found:
        raise SystemExit(f"There is no notebook in {', '.join(map(str, paths))}.")
    return found


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run every cell in the kernel of this environment, in the notebook's own folder."""
    # Cells which are meant to raise say so with the tag `raises-exception`.
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
    )
    client.execute()


def clean(notebook: nbformat.NotebookNode) -> None:
    """Reduce a notebook, in place, to what is worth storing."""
    notebook.metadata = nbformat.from_dict(METADATA)
    count = 0
    for index, cell in enumerate(notebook.cells):
        # An id from the position keeps a re-made notebook's ids, and so its diff, still.
        cell.setdefault("id", f"cell-{index}")
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in {"tags", "jupyter"}}
        )
        if cell.cell_type != "code":
            continue
        if cell.outputs or cell.execution_count:
            count += 1
            cell.execution_count = count
        cell.outputs = [kept for output in merged(cell.outputs) if (kept := stored(output, count))]


def merged(outputs: list[Any]) -> list[Any]:
    """The outputs, neighbouring pieces of a stream joined: where a print is cut differs from run to run."""
    result: list[Any] = []
    for output in outputs:
        previous = result[-1] if result else None
        if previous is not None and output.output_type == previous.output_type == "stream" and output.name == previous.name:
            previous.text += output.text
        else:
            result.append(output)
    return result


def stored(output: nbformat.NotebookNode, count: int) -> nbformat.NotebookNode | None:
    """What is kept of one output, or None when nothing of it can be shown without a kernel."""
    if output.output_type not in {"display_data", "execute_result"}:
        return output
    output.data = nbformat.from_dict({kind: output.data[kind] for kind in STORED if kind in output.data})
    output.metadata = nbformat.from_dict({})
    if output.output_type == "execute_result":
        output.execution_count = count
    return output if output.data else None


if __name__ == "__main__":
    sys.exit(main())
