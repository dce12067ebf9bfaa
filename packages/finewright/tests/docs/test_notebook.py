"""The notebook that documents the Python functions runs from top to bottom, on a tiny model."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[4] / "docs" / "python.ipynb"

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[nbformat.NotebookNode]:
    import tiny

    folder = tmp_path_factory.mktemp("notebook")
    tiny.tiny_model("llama").save_pretrained(folder / "base")
    tiny.tiny_tokenizer().save_pretrained(folder / "base")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    # The proof in another process is shown by tests/e2e/test_up.py, and starts one.
    parameters.source += '\nBASE_MODEL, MAX_STEPS = "./base", "2, prove_elsewhere: false"'
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: nbformat.NotebookNode, kind: str) -> str:
    return "".join(out.get("data", {}).get(kind, "") for out in cell.outputs)


def test_a_report_shows_itself_as_its_page(executed: list[nbformat.NotebookNode]) -> None:
    (cell,) = [cell for cell in executed if "fw.decide(" in cell.source]
    assert shown(cell, "text/html").startswith("<iframe sandbox srcdoc=")


def test_training_measures_what_the_spec_asks(executed: list[nbformat.NotebookNode]) -> None:
    (cell,) = [cell for cell in executed if "run.evaluate.scores" in cell.source]
    said = "".join(out.text for out in cell.outputs if out.output_type == "stream")
    assert "base: " in said
    assert "tuned: " in said


def test_progress_is_seen(executed: list[nbformat.NotebookNode]) -> None:
    (cell,) = [cell for cell in executed if cell.source.startswith("run = fw.up")]
    streams = "".join(out.text for out in cell.outputs if out.output_type == "stream")
    assert "train: done" in streams


def test_a_run_is_read_again(executed: list[nbformat.NotebookNode]) -> None:
    (cell,) = [cell for cell in executed if "fw.load_run" in cell.source]
    assert "evaluate" in shown(cell, "text/plain")
