"""An update that is stopped leaves the index as it was; what was cut short is told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from finewright.errors import Interrupted
from finewright.report.text import as_text
from finewright.schema.rag import DocumentsAt
from finewright_rag import update_index as rag
from finewright_rag.indexing import update
from finewright_rag.indexing.target import IndexTarget, OpenIndex, target_of
from finewright_rag.report import search_page
from finewright_rag.stores.open import open_index
from finewright_rag.update_index import index


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexTarget:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    for number in range(5):
        (tmp_path / f"docs/{number}.md").write_text(f"Text number {number}.\n")
    return target_of(["docs"], embedder="none")


@pytest.mark.parametrize("at", [3, 5])  # 5: while the last one is cut
@pytest.mark.parametrize("has_index", [False, True])
def test_a_stop_leaves_the_index_as_it_was(
    asked: IndexTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_index: bool, at: int
) -> None:
    if has_index:
        index(asked)
        (tmp_path / "docs/0.md").write_text("Other text.\n")
    before = (tmp_path / "index.sqlite").read_bytes() if has_index else None
    done = 0

    @contextmanager
    def stop_requests() -> Iterator[Callable[[], int]]:
        asked_after: list[int] = []

        def should_stop() -> int:
            asked_after.append(done)
            return 2 if asked_after.count(at) == (1 if at == 3 else 2) else 0

        yield should_stop

    def watch(event: str, fields: object) -> None:
        nonlocal done
        done += event == "indexing"

    monkeypatch.setattr(rag, "stop_requests", stop_requests)
    with pytest.raises(Interrupted, match="the index is as it was") as stopped:
        index(asked, on_event=watch)
    assert stopped.value.exit_code == 130
    assert done == at
    path = tmp_path / "index.sqlite"
    assert (path.read_bytes() if path.exists() else None) == before


class Short:
    """An embedder that reads few words."""

    id = "short@1"
    dimensions = 2
    num_cut = 0

    def documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.num_cut += len(texts)
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))

    queries = documents


def test_chunks_that_an_embedder_cuts_are_told(
    asked: IndexTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "load_embedder", lambda *_: Short())
    report = index(asked, tune=False)
    (problem,) = report.problems
    assert problem.level == "warning"
    assert problem.message.startswith("5 chunks are longer than short@1 reads")
    assert report.passed
    assert report.embedder == "short@1"


def test_a_stop_while_weights_are_tuned_says_what_is_in_and_what_is_not(
    asked: IndexTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(update, "tune_rag", stopped)
    with pytest.raises(Interrupted, match="the documents are in the index") as told:
        index(asked)
    assert told.value.exit_code == 130
    assert "--tune" in told.value.hint
    assert index(asked, tune=False).unchanged == 5


def test_documents_that_are_gone_are_told_and_kept(asked: IndexTarget, tmp_path: Path) -> None:
    index(asked)
    (tmp_path / "docs/0.md").unlink()
    report = index(asked)
    (problem,) = report.problems
    assert (report.documents, problem.level) == (5, "info")
    assert problem.message == "1 document of the index not among these"
    assert index(asked, prune=True).problems == ()


def test_documents_that_become_everyones_are_told(asked: IndexTarget, tmp_path: Path) -> None:
    hidden = DocumentsAt(path="docs", groups=("hr",))
    index(asked._replace(spec=asked.spec.model_copy(update={"documents": (hidden,)})))
    (tmp_path / "docs/0.md").write_text("Other text.\n")
    problem = index(asked).problems[0]
    assert problem.level == "warning"
    assert problem.message == "5 documents for some groups before, and for everyone now"
    assert index(asked).problems == ()


def test_an_index_that_was_killed_before_it_was_tuned_says_so_and_is_finished(
    asked: IndexTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As SIGKILL: nothing after it runs."""

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(update, "tune_rag", killed)
        with pytest.raises(Killed):
            index(asked)
    with closing(open_index(asked.spec.index, asked.resolve)) as held:
        report = rag.search(OpenIndex(held, None, asked), "text number", None)
    assert not report.is_tuned
    assert "never tuned" in as_text(search_page(report))
    again = index(asked)
    assert (again.unchanged, again.tuning is not None) == (5, True)
    assert index(asked).tuning is None


def test_an_index_that_is_not_to_be_tuned_has_nothing_to_finish(asked: IndexTarget) -> None:
    assert index(asked, tune=False).tuning is None
    assert index(asked).tuning is None
