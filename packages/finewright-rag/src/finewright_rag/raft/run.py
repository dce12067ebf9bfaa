"""`data raft`: questions and an index as rows that train to answer from passages."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from finewright.errors import DataError
from finewright.judge.quotes import abstains
from finewright.rows.containers.found import ReadRow, file_problem
from finewright.rows.containers.lines import jsonl_at
from finewright.rows.read import records
from finewright.schema.listing import Listing
from finewright.schema.passages import Access
from finewright.schema.raft import RaftQuestion, RaftReport, RaftSpec
from finewright.workbench.outputs import check_outputs
from finewright_rag.indexing.target import open_target
from finewright_rag.raft.rows import REASONS, CountTokens, Raft, RaftSearch

OnProgress = Callable[[int, int], None]
"""Called with the questions that are done, and all of them; may raise to stop."""

_FORM = "a line has `prompt`, `completion` and `gold`, a list of ids of documents in the index"


class _QuestionFile:
    """The questions of a file that can be used, where each stands, and what becomes of the others."""

    def __init__(self, path: Path, listing: Listing) -> None:
        self.questions: list[tuple[ReadRow, RaftQuestion]] = []
        self.dropped: Counter[str] = Counter()
        for found in records(path):
            if not isinstance(found, ReadRow):
                listing.add(found)
                self.dropped["unreadable"] += found.level == "error" and found.row is not None
                continue
            question = _question(found.data)
            if isinstance(question, RaftQuestion):
                self.questions.append((found, question))
            else:
                reason, what = question
                self.dropped[reason] += 1
                listing.add(file_problem(found.file, what, _FORM, found.row))


def raft(  # noqa: PLR0913 - files in and out, and all that may be said of them
    questions: Path,
    target: str,
    out: Path,
    *,
    spec: RaftSpec = RaftSpec(),  # noqa: B008 - a record that nobody changes
    embedder: str = "",
    access: Access = frozenset(),
    on_progress: OnProgress = lambda done, total: None,
) -> RaftReport:
    """Write a row for each question that the documents of an index answer to `out`, JSONL.

    `target` is a spec with `rag`, or an index. Weights know no groups: whoever asks the trained model may be
    told what a row shows, so that, unless `access` says otherwise, only what everyone may see is shown. `out`
    is a new file, and is not written where no question becomes a row. Raises DataError where nothing can be
    made: no question with an answer and gold, or none whose gold is in the index."""
    check_outputs([out], [questions])
    listing = Listing()
    file = _QuestionFile(questions, listing)
    if not file.questions:
        raise DataError("\n".join(problem.line() for problem in listing.problems()))
    count_tokens = _counting(spec.base_model)
    with open_target(target, embedder=embedder) as opened:
        searched = RaftSearch(opened.index, opened.embedder, access)
        made = Raft(searched, spec, count_tokens, dropped=file.dropped)
        known = _keep_known(file, set(opened.index.digests()), made.dropped, listing, target)
        with jsonl_at(out) as write:
            for number, (read, question) in enumerate(known, 1):
                row = made.row(question)
                if isinstance(row, str):
                    listing.add(
                        file_problem(read.file, REASONS[row], "", read.row, level="warning")
                    )
                else:
                    write(row)
                on_progress(number, len(known))
    if not made.kinds.total():
        out.unlink()
    return _report_rows_made(made, spec, access, out, listing)


def _report_rows_made(
    made: Raft, spec: RaftSpec, access: Access, out: Path, listing: Listing
) -> RaftReport:
    num_written = made.kinds.total()
    return RaftReport(
        spec=spec,
        rows_in=num_written + made.dropped.total(),
        rows_written=num_written,
        rows_dropped=dict(+made.dropped),
        kinds=dict(made.kinds),
        rows_with_fewer=dict(made.with_fewer),
        distractors_written=made.num_distractors,
        distractors_passed=dict(made.passed),
        licenses=dict(made.licenses),
        groups=None if access is None else tuple(sorted(access)),
        out=str(out) if num_written else "",
        problems=listing.problems(),
    )


def _is_list_of_ids(gold: object) -> TypeGuard[list[str]]:
    return isinstance(gold, list) and bool(gold) and all(isinstance(id, str) for id in gold)


def _question(data: Mapping[str, Any]) -> RaftQuestion | tuple[str, str]:  # Any: a line of JSON
    """The question of a line; else the reason to count it under, and what is wrong."""
    prompt, completion = (_read_key(data, key) for key in ("prompt", "completion"))
    if not prompt.strip():
        return "no_question", "prompt: no text"
    if not completion.strip():
        return "no_answer", "completion: no answer to the question"
    gold = data.get("gold")
    if gold == [] and abstains(completion):
        ids: tuple[str, ...] = ()
    elif _is_list_of_ids(gold):
        ids = tuple(dict.fromkeys(gold))
    else:
        return "no_gold", "gold: no list of the documents that have the answer"
    license, source = _read_key(data, "license"), _read_key(data, "source")
    is_stated = bool(license.strip())
    return RaftQuestion(prompt, completion, ids, license if is_stated else "unknown", source)


def _read_key(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _keep_known(
    file: _QuestionFile, ids: set[str], dropped: Counter[str], listing: Listing, target: str
) -> Sequence[tuple[ReadRow, RaftQuestion]]:
    """The questions of which all gold is in the index. Raises DataError where there is none."""
    known = []
    for read, question in file.questions:
        unknown = [id for id in question.gold if id not in ids]
        if unknown:
            dropped["unknown_gold"] += 1
            what = f"gold: no document {unknown[0]!r} is in the index"
            listing.add(file_problem(read.file, what, "index it, or fix the id", read.row))
        else:
            known.append((read, question))
    if not known:
        first, question = file.questions[0]
        raise DataError(
            f"{first.file}: no question has all of its gold in {target}, "
            f"which has {len(ids)} documents; the first has {question.gold[0]!r}",
            hint="name the index of the documents that the questions were made of",
        )
    return known


def _counting(base_model: str) -> CountTokens | None:
    """Counts the tokens of a conversation as the model reads it; None without a model."""
    if not base_model:
        return None
    from finewright.lm.runtime import require_runtime
    from finewright.lm.sources import locate

    require_runtime()
    base = locate(base_model, Path.cwd())
    from finewright.lm.load_chat import load_chat

    chat = load_chat(base)
    return lambda messages: len(chat.tokens(chat.render_learned(messages, None)).ids)
