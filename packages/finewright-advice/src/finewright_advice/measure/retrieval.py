"""How often the right document is among the passages: what an arm with passages can know at most."""

from finewright.evaluate.arms import gold_of, question_of
from finewright.schema.common import Model
from finewright.store.atomic import read_json, write_json
from finewright_advice.measure.arms import Criterion
from finewright_advice.measure.ask import ArmQuestions
from finewright_advice.measure.library import Library
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure_report import Retrieval


class _Found(Model):
    flags: tuple[bool, ...]


def retrieval(
    rows: ExperimentRows, library: Library, criterion: Criterion, asking: ArmQuestions
) -> Retrieval | None:
    """The share of held-out questions with one of their documents among the passages; None where no question
    says which those are."""
    with_gold = [row for row in rows.test if gold_of(row)]
    if not with_gold:
        return None
    shelf, path = library.shelf, asking.folder / "retrieval.json"
    if not path.is_file():
        flags = tuple(
            any(passage.document in gold_of(row) for passage in shelf.passages(question_of(row)))
            for row in with_gold
        )
        write_json(path, _Found(flags=flags).model_dump(mode="json"))
    flags = read_json(path, _Found, hint="remove the file; it is made again").flags
    counts = library.counts()
    return Retrieval(
        found=criterion.share(flags),
        passages=shelf.results,
        documents=counts.documents,
        chunks=counts.chunks,
        embedder=library.spec.embedder,
    )
