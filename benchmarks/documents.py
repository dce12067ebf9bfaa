"""A served model that answers from this project's own manual: right answers, right citations, abstentions.

    python benchmarks/documents.py                          # 24 questions on docs/*.md, 40 on everyday life
    python benchmarks/documents.py --model runs/x --unproved abstain --embedder minilm

cited      of the questions on the manual: something of the answer is cited
right page of those: every citation is of a page that has the answer
in proof   the words that answer stand in a cited quote, or (answered) anywhere in the answer
abstained  it said that the passages do not hold the answer, by who said it

The questions were written from the pages before anything was asked, and chose nothing; the off-topic ones are
none of those that calibrate an index. There is no bar: the figures are the model's as well."""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from finewright.judge.statistics import wilson
from finewright_rag.indexing.target import target_of
from finewright_rag.update_index import index
from serve import serving

ROOT = Path(__file__).parents[1]
QUESTIONS = Path(__file__).parent / "questions"
OFF_TOPIC = 40


class Asked(NamedTuple):
    """A question with its answer, its citations and its metadata; `gold` and `words` are empty off topic."""

    prompt: str
    gold: tuple[str, ...]
    words: str
    answer: str
    citations: list[dict[str, Any]]
    metadata: dict[str, str]
    seconds: float


def ask_all(options: argparse.Namespace, folder: Path) -> Iterator[Asked]:
    """Every question, at a server of its own."""
    manual = (QUESTIONS / "manual.jsonl").read_text(encoding="utf-8").splitlines()
    known = [json.loads(line) for line in manual][: options.questions]
    strange = (QUESTIONS / "off_topic.txt").read_text(encoding="utf-8").splitlines()[:OFF_TOPIC]
    rows = [*known, *({"prompt": line} for line in strange[: options.questions])]
    pages = sorted(str(path) for path in (ROOT / "docs").glob("*.md"))
    made = target_of(pages, out=str(folder / "index.sqlite"), embedder=options.embedder)
    index(made, prune=False, tune=None, on_event=lambda *_: None)
    documents = {"index": "index.sqlite", "unproved": options.unproved}
    target = {"target": options.model, "id": "manual", "documents": documents}
    with serving(folder, models=[target]) as server:
        headers = {"Authorization": f"Bearer {server.key}"}
        for row in rows:
            begun = time.monotonic()
            body = {
                "model": "manual",
                "max_tokens": options.max_tokens,
                "messages": [{"role": "user", "content": row["prompt"]}],
            }
            url = f"{server.url}/chat/completions"
            found = (
                httpx.post(url, json=body, headers=headers, timeout=600).raise_for_status().json()
            )
            message = found["choices"][0]["message"]
            yield Asked(
                row["prompt"],
                tuple(row.get("gold", ())),
                row.get("completion", ""),
                message["content"],
                [each["url_citation"] for each in message.get("annotations", ())],
                found["metadata"],
                time.monotonic() - begun,
            )


def share(number: int, of: int) -> str:
    if not of:
        return "none"
    low, high = (round(100 * each) for each in wilson(number, of, confidence=0.95)[:2])
    return f"{number}/{of} = {100 * number / of:.0f} % ({low}-{high})"


def is_right_page(asked: Asked) -> bool:
    return all(any(c["filename"].endswith(g) for g in asked.gold) for c in asked.citations)


def show(rows: list[Asked]) -> None:
    """The table."""
    known, strange = [a for a in rows if a.gold], [a for a in rows if not a.gold]
    cited = [a for a in known if a.citations]
    proved = [a for a in cited if any(a.words.lower() in c["quote"].lower() for c in a.citations)]
    answered = [a for a in known if a.words.lower() in a.answer.lower()]
    print(f"cited       {share(len(cited), len(known))}")
    print(f"right page  {share(sum(map(is_right_page, cited)), len(cited))} of those")
    print(f"in proof    {share(len(proved), len(known))}")
    print(f"answered    {share(len(answered), len(known))}")
    for name, some in (("on the manual", known), ("off topic", strange)):
        by = Counter(a.metadata["abstained"] for a in some if "abstained" in a.metadata)
        who = ", ".join(f"{kind} {number}" for kind, number in by.most_common())
        print(f"abstained {name}: {share(by.total(), len(some))}; {who or 'never'}")
    false = [a for a in strange if a.citations]
    print(f"cited off topic: {share(len(false), len(strange))}")
    print(f"seconds an answer (median): {sorted(a.seconds for a in rows)[len(rows) // 2]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--unproved", choices=["give", "abstain"], default="give")
    parser.add_argument("--max-tokens", type=int, default=120)
    parser.add_argument("--questions", type=int, help="only the first of each kind")
    parser.add_argument("--samples", type=Path, help="write every answer to this file")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for asked in ask_all(options, Path(folder)):
            rows.append(asked)
            print(f"{len(rows)}: {asked.prompt}", file=sys.stderr)
    if options.samples:
        lines = [json.dumps(each._asdict()) for each in rows]
        options.samples.write_text("\n".join(lines) + "\n", encoding="utf-8")
    show(rows)


if __name__ == "__main__":
    main()
