"""Support on ERC standards as it is served: the search refuses, the model quotes, the proof holds.

The run is that of `examples/web3-support-bot.yaml`, asked over HTTP. An answer of which nothing stands in a
passage counts as an abstention, which is what `unproved: abstain` gives; it is grounded where all that it
quotes stands where it is said to, and something does. So a served answer is mostly grounded because others
are withheld: what that costs is the share of right answers, which stands beside. Fewer than 35 given answers
show nothing, and miss the bar. On stderr also the model alone, its answers as they were before the proof, to
the questions that the search let pass.

Right is an answer that has the standard's words, or a token F1 of 0.8 with them. Some unanswerable questions
mix up two standards. Facts are those of test questions, changed in the documents, which are indexed again."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from bars import Bar
from finewright.evaluate.arms import without_quotes
from finewright.evaluate.scorers import token_f1
from finewright.judge.quotes import abstains, stands_in_passages
from finewright.judge.statistics import wilson
from finewright.schema.rows import Row
from finewright_advice.measure.facts import edit, says
from serve import Server, serving
from web3_parts import EXAMPLES, run_of

_LEAST_GROUNDED, _LEAST_F1 = 0.9, 0.8
_LEAST_TOKEN_F1 = 0.8  # as examples/web3-support.yaml calls a question solved
_FEWEST_GIVEN = 35
"""Of fewer answers even a full score has an interval (Wilson's, 95 %) that begins below the bar."""
_AT_ONCE = 8
_NUM_FACTS = 15  # as measure.facts of that example
_MAX_TOKENS = 160  # as evaluate.max_new_tokens of that example
_RESAMPLES = 2_000
_RAG = {
    "documents": ["documents.jsonl"],
    "index": "index.sqlite",
    "embedder": "wordllama",
    "results": 3,
    "chunk_chars": 500,
}
"""As examples/web3-support.yaml has it."""


class Reply(NamedTuple):
    """A question's row and kind, and what was served to it before the proof held anything back."""

    row: Mapping[str, Any]  # Any: JSON
    kind: str
    answer: str
    metadata: Mapping[str, str]

    @property
    def is_answerable(self) -> bool:
        return bool(self.row["gold"])

    @property
    def by_search(self) -> bool:
        return self.metadata.get("abstained") == "no_document"

    @property
    def is_given(self) -> bool:
        """Whether `unproved: abstain` gives it as an answer."""
        return int(self.metadata["citations"]) > 0

    @property
    def is_grounded(self) -> bool:
        return self.is_given and "quotes_not_found" not in self.metadata

    @property
    def is_right(self) -> bool:
        words = self.row["completion"]
        plain = without_quotes(self.answer)
        has_words = stands_in_passages(words, [self.answer])
        return self.is_answerable and (has_words or token_f1(plain, words) >= _LEAST_TOKEN_F1)


def bars(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """The share of given answers that are grounded, and the F1 of abstention, of the whole system."""
    data = EXAMPLES / "erc-standards"
    if "web3-support-bot" not in dict(options.runs):
        _make_rows(data)
    run = run_of("web3-support-bot", ["erc-standards"], folder, options, verb="train")
    documents = _read(data / "documents.jsonl")
    _index(folder, documents)
    model = {"target": str(run.absolute()), "id": "support", "documents": {"index": "rag.yaml"}}
    with serving(folder, models=[model]) as server:
        replies = [*ask_all(server, _questions(data))]
        yield from support_bars(replies)
        _show_facts(folder, documents, [r for r in replies if r.kind == "test"], server)


def support_bars(replies: Sequence[Reply]) -> Iterator[Bar]:
    """The bars of replies; on stderr every kind of question, the model alone and the system."""
    for kind in dict.fromkeys(reply.kind for reply in replies):
        _show_kind(kind, [reply for reply in replies if reply.kind == kind])
    passed = [reply for reply in replies if not reply.by_search]
    alone = [reply for reply in passed if not abstains(reply.answer)]
    answerable = [reply for reply in replies if reply.is_answerable]
    right = [reply.is_given and reply.is_right for reply in answerable]
    print(f"answerable: right {_share(right)}", file=sys.stderr)
    print(
        f"model alone, of {len(passed)} questions that the search let pass:"
        f" grounded {_share([r.is_grounded for r in alone])},"
        f" abstention {_f1_line([(abstains(r.answer), not r.is_answerable) for r in passed])}",
        file=sys.stderr,
    )
    given = [reply for reply in replies if reply.is_given]
    grounded = [reply.is_grounded for reply in given]
    held = [(not reply.is_given, not reply.is_answerable) for reply in replies]
    # A bot that hardly answers is not grounded, it is silent.
    figure = sum(grounded) / len(grounded) if len(grounded) >= _FEWEST_GIVEN else 0.0
    yield Bar("grounded answers, of those given", figure, _LEAST_GROUNDED, on=_share(grounded))
    yield Bar("abstention, F1", f1_of(held), _LEAST_F1, on=_f1_line(held))


def f1_of(pairs: Sequence[tuple[bool, bool]]) -> float:
    """2 tp / (2 tp + fp + fn) of what was done and what should have been; 0 where neither ever was."""
    hits, size = sum(a and b for a, b in pairs), sum(a + b for a, b in pairs)
    return 2 * hits / size if size else 0.0


def ask_all(server: Server, questions: Sequence[tuple[str, Any]]) -> Iterator[Reply]:  # Any: JSON
    """The replies in the order of the questions."""

    def ask(kind: str, row: Mapping[str, Any]) -> Reply:  # Any: JSON
        body = {
            "model": "support",
            "messages": [{"role": "user", "content": row["prompt"]}],
            "max_tokens": _MAX_TOKENS,
            "temperature": 0,
        }
        headers = {"Authorization": f"Bearer {server.key}"}
        url = f"{server.url}/chat/completions"
        said = httpx.post(url, json=body, headers=headers, timeout=600).raise_for_status().json()
        return Reply(row, kind, said["choices"][0]["message"]["content"], said["metadata"])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda question: ask(*question), questions)


def _questions(data: Path) -> list[tuple[str, Any]]:  # Any: JSON
    known = [(k, row) for k in ("test", "written") for row in _read(data / f"questions_{k}.jsonl")]
    return [*known, *((row["kind"], row) for row in _read(data / "unanswerable_test.jsonl"))]


def _show_facts(
    folder: Path, documents: Sequence[Any], replies: Sequence[Reply], server: Server
) -> None:
    """On stderr how many changed facts the answers follow; the server goes on, the index is renewed."""
    rows = {reply.row["prompt"]: reply.row for reply in replies}
    asked = [_row_of(row) for row in rows.values()]
    found = edit(asked, {each["id"]: each["text"] for each in documents}, _NUM_FACTS, 0)
    _index(folder, [d | {"text": found.documents.get(d["id"], d["text"])} for d in documents])
    changed = [("fact", rows[change.row.messages[0]["content"]]) for change in found.changes]
    answers = [*ask_all(server, changed)]
    pairs = [*zip(answers, found.changes, strict=True)]
    new = [reply.is_given and says(reply.answer, change.new) for reply, change in pairs]
    old = [reply.is_given and says(reply.answer, change.old) for reply, change in pairs]
    if pairs:
        print(f"changed facts: follows {_share(new)}, as before {_share(old)}", file=sys.stderr)


def _row_of(row: Mapping[str, Any]) -> Row:  # Any: JSON
    turns = [("user", row["prompt"]), ("assistant", row["completion"])]
    messages = tuple({"role": role, "content": text} for role, text in turns)
    return Row("", messages, None, "", 0, columns={"gold": row["gold"]})


def _show_kind(kind: str, replies: Sequence[Reply]) -> None:
    parts = {
        "answered": [reply.is_given for reply in replies],
        "right": [reply.is_given and reply.is_right for reply in replies],
        "refused by the search": [reply.by_search for reply in replies],
        "the model abstains": [not r.by_search and abstains(r.answer) for r in replies],
    }
    told = ", ".join(f"{name} {_share(flags)}" for name, flags in parts.items())
    print(f"{kind}: {told}", file=sys.stderr)


def _share(flags: Sequence[bool]) -> str:
    if not flags:
        return "none"
    low, high, *_ = wilson(sum(flags), len(flags), confidence=0.95)
    share = 100 * sum(flags) / len(flags)
    return f"{share:.1f} % ({100 * low:.0f}-{100 * high:.0f}) of {len(flags)}"


def _f1_line(pairs: Sequence[tuple[bool, bool]]) -> str:
    """F1 with the interval of a bootstrap over questions, precision and recall."""
    rng = Random(0)  # noqa: S311 - resamples, no secret
    scores = sorted(f1_of(rng.choices(pairs, k=len(pairs))) for _ in range(_RESAMPLES))
    low, high = scores[_RESAMPLES // 40], scores[-_RESAMPLES // 40]
    precision = _share([should for did, should in pairs if did])
    recall = _share([did for did, should in pairs if should])
    return f"F1 {f1_of(pairs):.2f} ({low:.2f}-{high:.2f}), precision {precision}, recall {recall}"


def _make_rows(data: Path) -> None:
    """The training rows of the example, as its head says."""
    if (data / "raft.jsonl").is_file():
        return
    program = [sys.executable, "-m", "finewright"]
    if not data.is_dir():
        subprocess.run(
            [*program, "data", "get", data.name, "--out", str(data)], check=True, stdout=2
        )
    spec, questions = EXAMPLES / "web3-support.yaml", data / "questions_raft.jsonl"
    parts = [data / f"{name}_train.jsonl" for name in ("questions", "unanswerable")]
    questions.write_text("".join(part.read_text("utf-8") for part in parts), encoding="utf-8")
    subprocess.run([*program, "rag", "index", str(spec)], check=True, stdout=2)
    shares = ["--distractors", "2", "--gold-share", "1", "--unanswerable-share", "0"]
    command = [*program, "data", "raft", str(questions), str(spec), *shares]
    subprocess.run([*command, "--out", str(data / "raft.jsonl")], check=True, stdout=2)


def _index(folder: Path, documents: Sequence[Any]) -> None:  # Any: JSON
    """Write the documents and bring the index up to date."""
    text = "".join(f"{json.dumps(each)}\n" for each in documents)
    (folder / "documents.jsonl").write_text(text, encoding="utf-8")
    (folder / "rag.yaml").write_text(json.dumps({"name": "support", "rag": _RAG}), "utf-8")
    command = [sys.executable, "-m", "finewright", "rag", "index", "rag.yaml"]
    subprocess.run(command, check=True, stdout=2, cwd=folder)


def _read(path: Path) -> list[Any]:  # Any: JSON
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
