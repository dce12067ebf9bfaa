"""The documents of an experiment, whatever cut it on the way."""

from contextlib import closing
from pathlib import Path

import pytest

from finewright.errors import Interrupted
from finewright.schema.load import load_spec
from finewright_advice.measure.library import open_library

from .measuring import write_experiment, write_jsonl

update = pytest.importorskip("finewright_rag.indexing.update")

TEXT = "Whoever holds card {n} travels far and often. " + "It is made of tin and of amber. " * 5


def test_an_index_that_was_cut_before_it_was_tuned_is_tuned_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_spec(write_experiment(tmp_path))
    cards = [{"id": f"d{n}", "title": f"C{n}", "text": TEXT.format(n=n)} for n in range(40)]
    write_jsonl(tmp_path / "documents.jsonl", cards)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(update, "tune_rag", cut)
        with pytest.raises(Interrupted):
            open_library(loaded, tmp_path, lambda *_: None)
    with closing(open_library(loaded, tmp_path, lambda *_: None).shelf.index) as index:
        assert index.about.calibration is not None
