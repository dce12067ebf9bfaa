"""CPU seconds of `finewright cost` on every open model of the catalog, and of `finewright decide` on every
example, each in a process of its own.

    python benchmarks/advice_speed.py                                  # about 2 minutes
    python benchmarks/advice_speed.py --model smollm2-135m-instruct    # and of one whose tokenizer is here

`cost` has 3,000 rows of chat. The five slowest of each are shown, beside their bars: 2 s and 1.5 s.
User and system time are those of a busy machine too, where they are up to a third higher.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bars import Bar, finish, parser_of
from finewright.catalog.models import open_models

NUM_ROWS, SHOWN = 3000, 5
BARS = {"cost": 2.0, "decide": 1.5}
EXAMPLES = Path(__file__).parents[1] / "examples"
WORDS = (EXAMPLES.parent / "docs" / "decide.md").read_text(encoding="utf-8").split()
SPEC = """\
name: speed
base_models: [{model}]
data: {{sources: [{{path: rows.jsonl, license: CC0-1.0, owner: me}}]}}
train: {{method: sft, adapter: {{type: lora}}, max_length: 4096}}
"""


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--model", action="append", default=[], help="one more to ask cost about")
    parser.add_argument("--first", type=int, help="only so many models and examples")
    options = parser.parse_args()
    models = [*[*open_models()][: options.first], *options.model]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rows.jsonl").write_text("\n".join(map(json.dumps, chats())), encoding="utf-8")
        costs = {name: cost_seconds(Path(folder), name) for name in models}
    examples = [path for path in sorted(EXAMPLES.glob("decide-*.yaml")) if decides(path)]
    examples = examples[: options.first]
    took = {path.name: seconds_of("decide", path) for path in examples}
    return finish([*bars("cost", costs), *bars("decide", took)], options)


def decides(spec: Path) -> bool:
    """Whether it asks for a decision; one of these examples trains a model that decides."""
    return "\ndecide:" in spec.read_text(encoding="utf-8")


def bars(command: str, took: dict[str, float]) -> list[Bar]:
    """The five slowest."""
    slowest = sorted(took.items(), key=lambda item: -item[1])[:SHOWN]
    return [Bar(f"{command}, CPU s", s, BARS[command], True, name) for name, s in slowest]


def chats() -> Iterator[dict[str, object]]:
    """Questions and answers of the words of a page, as long as chats are (log-normal, 70 and 100 words)."""
    rng = random.Random(0)  # noqa: S311 - not a secret
    for _ in range(NUM_ROWS):
        texts = [
            " ".join(rng.choices(WORDS, k=int(rng.lognormvariate(m, 0.6)) + 1)) for m in (4.2, 4.6)
        ]
        turns = zip(("user", "assistant"), texts, strict=True)
        yield {"messages": [{"role": role, "content": text} for role, text in turns]}


def cost_seconds(folder: Path, model: str) -> float:
    spec = folder / "speed.yaml"
    spec.write_text(SPEC.format(model=model), encoding="utf-8")
    return seconds_of("cost", spec)


def seconds_of(command: str, spec: Path) -> float:
    """User and system time of the command; raises CalledProcessError where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = [sys.executable, "-m", "finewright", command, str(spec)]
    subprocess.run(asked, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
