"""Notebooks are stored so that they read everywhere, and storing them again changes nothing."""

import json
from pathlib import Path

import nbformat
import pytest

from tools import notebooks

ROOT = Path(__file__).parents[2]
COURSE = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def written(tmp_path):
    """Write a notebook of these code cells and return its path."""

    def write(*sources: str) -> Path:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
        )
        path = tmp_path / "lesson.ipynb"
        path.write_text(nbformat.writes(notebook))
        return path

    return write


def outputs(path: Path, cell: int) -> list[dict]:
    return json.loads(path.read_text())["cells"][cell]["outputs"]


def test_running_stores_text_and_counts_cells_from_one(written):
    path = written("6 * 7", "print('a'); print('b')")

    code = notebooks.main([str(path)])

    assert code == 0
    assert outputs(path, 0)[0]["data"] == {"text/plain": ["42"]}
    assert outputs(path, 1) == [{"name": "stdout", "output_type": "stream", "text": ["a\n", "b\n"]}]
    assert [cell["execution_count"] for cell in json.loads(path.read_text())["cells"]] == [1, 2]


def test_running_twice_changes_nothing(written):
    path = written("import ipywidgets", "ipywidgets.IntSlider(description='Orders')", "print(1)\nprint(2)")
    notebooks.main([str(path)])
    first = path.read_bytes()

    notebooks.main([str(path)])

    assert path.read_bytes() == first


def test_a_widget_leaves_its_picture_and_text_but_no_view(written):
    path = written(
        "from IPython.display import display\n"
        "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}, 'text/html': '<b>live</b>',"
        " 'image/png': 'iVBORw0KGgo=', 'text/plain': 'A replay of 12 steps'}, raw=True)"
    )

    notebooks.main([str(path)])

    assert set(outputs(path, 0)[0]["data"]) == {"image/png", "text/plain"}


def test_an_output_that_only_a_kernel_can_show_is_dropped(written):
    path = written(
        "from IPython.display import display\n"
        "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}}, raw=True)"
    )

    notebooks.main([str(path)])

    assert outputs(path, 0) == []


def test_a_cell_that_raises_leaves_the_notebook_as_it_was(written, capsys):
    path = written("1 / 0")
    before = path.read_bytes()

    code = notebooks.main([str(path)])

    assert code == 1
    assert path.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(SystemExit, match="There is no notebook in"):
        notebooks.main([str(tmp_path)])


def test_the_course_is_where_it_should_be():
    assert COURSE, "notebooks/ holds no notebook"


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_a_stored_notebook_reads_without_a_kernel(path):
    notebook = nbformat.read(path, as_version=4)

    stored = [output for cell in notebook.cells for output in cell.get("outputs", [])]

    assert stored, "its outputs are not stored: run `make notebooks`"
    assert "widgets" not in notebook.metadata
    assert not [output for output in stored if output.output_type == "error"]
    assert not [output.text for output in stored if output.get("name") == "stderr"]
    shown = {kind for output in stored for kind in output.get("data", {})}
    assert shown <= set(notebooks.STORED)


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_a_stored_notebook_is_clean(path):
    before = nbformat.read(path, as_version=4)
    after = nbformat.read(path, as_version=4)

    notebooks.clean(after)

    assert after == before, f"run `make notebooks` (or `python -m tools.notebooks --strip {path.name}`)"
