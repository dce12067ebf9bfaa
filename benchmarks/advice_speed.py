"""CPU seconds of `finewright cost` on every open model of the catalog, and of `finewright decide` on every
example, each in a process of its own.

    python benchmarks/advice_speed.py                                  # about 2 minutes
    python benchmarks/advice_speed.py --model smollm2-135m-instruct    # and of one whose tokenizer is here

`cost` has 3,000 rows of chat. The five slowest of each are shown, beside the bars of issue 21: 2 s and 1.5 s;
with `--bars` a miss is named, and ends with 1.
User and system time are those of a busy machine too, where they are up to a third higher.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from finewright.catalog.open_models import open_models
from finewright.report.text import table

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", default=[], help="one more to ask cost about")
    parser.add_argument("--first", type=int, help="only so many models and examples")
    parser.add_argument("--bars", action="store_true", help="name what is missed, and end with 1")
    options = parser.parse_args()
    models = [*[*open_models()][: options.first], *options.model]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rows.jsonl").write_text("\n".join(map(json.dumps, chats())), encoding="utf-8")
        costs = {name: cost_seconds(Path(folder), name) for name in models}
    decides = {
        path.name: seconds_of("decide", path)
        for path in sorted(EXAMPLES.glob("decide-*.yaml"))[: options.first]
    }
    rows = [
        row for what, took in (("cost", costs), ("decide", decides)) for row in worst(what, took)
    ]
    print(table(("command", "of", "CPU s", "bar"), rows))
    missed = [
        f"{what} of {name}: {seconds:.2f} s"
        for what, took in (("cost", costs), ("decide", decides))
        for name, seconds in took.items()
        if seconds > BARS[what]
    ]
    if options.bars:
        print("\n".join(["MISSED", *missed]) if missed else "every bar is met")
    return int(options.bars and bool(missed))


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


def worst(what: str, took: dict[str, float]) -> Iterator[Sequence[str]]:
    slowest = sorted(took.items(), key=lambda item: -item[1])[:SHOWN]
    for name, seconds in slowest:
        yield (what, name, f"{seconds:.2f}", f"{BARS[what]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
