"""Rows as TRL, Axolotl and LLaMA-Factory make them, by their own code, beside ours, row by row.

    pip install --target=... is not enough: each peer needs an environment of its own, such as
    python -m venv /tmp/lf; /tmp/lf/bin/pip install llamafactory         # also trl, axolotl
    pip download --no-deps --no-binary :all: llamafactory; tar xf llamafactory-*.tar.gz    # its demo data
    python benchmarks/converters.py --demo llamafactory-0.9.5/data --llamafactory /tmp/lf/bin/python \\
        --trl /tmp/trl/bin/python --axolotl /tmp/axolotl/bin/python --tokenizer FOLDER

The rows are LLaMA-Factory's demo data, as they are and in every form that the peers read. `--tokenizer` is a
folder with a tokenizer and chat template, for Axolotl. A difference is either told of our rows, and
listed in `SAID`, or it is printed, and the command ends with 1."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finewright.features.data.rows import read_options
from finewright.report.columns import table
from finewright.rows.fates import RowFate, fates
from finewright.schema.rows import Message, Row
from peer_rows.forms import FormedSet, axolotl_sets, llamafactory_sets, trl_sets

Said = dict[str, Any]  # Any: a conversation as the peers' scripts print it
_MOST_SHOWN = 3

SAID = {
    ("LLaMA-Factory", "glaive_toolcall_zh_demo"): "a result without a call: refused here",
    ("LLaMA-Factory", "openai"): "there `detailed thinking off` is added as a system prompt",
    (
        "LLaMA-Factory",
        "odd_ends",
    ): "skipped there; here the answers before are learned, which is said",
    ("Axolotl", "jeopardy"): "there `what is ` is written before each answer",
}


class Compared(NamedTuple):
    """A set: how many rows are the same, refused by both, or other, and the first of the others."""

    peer: str
    name: str
    counts: Counter[str]
    others: list[str]


def main() -> int:
    options = parse()
    found: list[Compared] = []
    for peer, python, sets, script, more in (
        ("LLaMA-Factory", options.llamafactory, llamafactory_sets, "of_llamafactory.py", []),
        ("TRL", options.trl, trl_sets, "of_trl.py", []),
        ("Axolotl", options.axolotl, axolotl_sets, "of_axolotl.py", [str(options.tokenizer)]),
    ):
        if python is None:
            print(
                f"{peer}: left out, --{peer.lower().replace('-', '')} names no Python that has it"
            )
            continue
        with tempfile.TemporaryDirectory() as folder:
            found += compared(peer, python, sets(options.demo), Path(folder), script, more)
    print(shown(found))
    return int(any(each.others and (each.peer, each.name) not in SAID for each in found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, required=True, help="LLaMA-Factory's folder `data`")
    for peer in ("llamafactory", "trl", "axolotl"):
        parser.add_argument(f"--{peer}", type=Path, help="a Python that has it")
    parser.add_argument("--tokenizer", type=Path, default=Path(), help="a folder, for Axolotl")
    return parser.parse_args()


def compared(
    peer: str, python: Path, sets: Sequence[FormedSet], folder: Path, script: str, more: list[str]
) -> Iterator[Compared]:
    about = {each.name: {"file_name": f"{each.name}.jsonl", **each.entry} for each in sets}
    (folder / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")
    for each in sets:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in each.rows)
        (folder / f"{each.name}.jsonl").write_text("".join(lines), encoding="utf-8")
    command = [str(python), str(Path(__file__).parent / "peer_rows" / script), str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{peer}: {python} cannot run it: {done.stderr.strip().splitlines()[-1]}")
    theirs = {each["name"]: each["rows"] for each in map(json.loads, _json_lines(done.stdout))}
    for each in sets:
        yield of_set(peer, each, theirs[each.name], folder)


def _json_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith('{"name"')]


def of_set(peer: str, formed: FormedSet, theirs: list[Said], folder: Path) -> Compared:
    counts: Counter[str] = Counter()
    others = []
    for number, (fate, made) in enumerate(zip(ours(formed, folder), theirs, strict=True), 1):
        kind = kind_of(fate, made)
        counts[kind] += 1
        if kind not in ("same", "both refuse"):
            own = said(fate.rows[0]) if fate.rows else [p.line() for p in fate.problems]
            others.append(
                f"{formed.name} row {number}, {kind}: theirs {_cut(made)}; ours {_cut(own)}"
            )
    return Compared(peer, formed.name, counts, others)


def ours(formed: FormedSet, folder: Path) -> list[RowFate]:
    """The fates of the rows, read where their manifest, or `--column`, says what their keys are."""
    alone = folder / f"alone-{formed.name}"
    alone.mkdir()
    shutil.copy(folder / f"{formed.name}.jsonl", alone)
    if formed.entry:
        about = {formed.name: {"file_name": f"{formed.name}.jsonl", **formed.entry}}
        (alone / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")
    options = read_options(columns=formed.columns)
    return [item for item in fates(alone, options) if isinstance(item, RowFate)]


def kind_of(fate: RowFate, made: Said) -> str:
    if not fate.rows:
        return "both refuse" if "skipped" in made else "refused here"
    if "skipped" in made:
        return "refused there"
    own = said(fate.rows[0])
    wrong = [key for key in made if made[key] is not None and made[key] != own[key]]
    return f"other {', '.join(wrong)}" if wrong else "same"


def said(row: Row) -> Said:
    """Our row as the peers' scripts print theirs."""
    return {
        "turns": [turn for message in row.messages for turn in _turns(message)],
        "rejected": row.rejected[-1]["content"] if row.rejected else None,
        "label": row.label,
        "tools": sorted(tool["function"]["name"] for tool in row.tools or ()),
        "learned": [bool(m.get("weight", 1)) for m in row.messages if m["role"] == "assistant"],
    }


def _turns(message: Message) -> list[list[str]]:
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if not calls:
        return [[message["role"], message["content"]]]
    given = [c["arguments"] for c in calls]
    read = [json.loads(each) if isinstance(each, str) else each for each in given]
    return [
        ["call", json.dumps({"name": call["name"], "arguments": each}, sort_keys=True)]
        for call, each in zip(calls, read, strict=True)
    ]


def _cut(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 500 else f"{text[:500]} ..."  # noqa: PLR2004 - a screen


def shown(found: Sequence[Compared]) -> str:
    rows = [
        [
            each.peer,
            each.name,
            str(each.counts.total()),
            ", ".join(f"{n} {kind}" for kind, n in each.counts.most_common()),
            SAID.get((each.peer, each.name), "") if each.others else "",
        ]
        for each in found
    ]
    others = [
        line
        for each in found
        if (each.peer, each.name) not in SAID
        for line in each.others[:_MOST_SHOWN]
    ]
    total = sum((each.counts for each in found), Counter[str]())
    header = ["peer", "set", "rows", "found", "said difference"]
    return "\n".join([table(header, rows), f"all: {dict(total)}", *others])


if __name__ == "__main__":
    sys.exit(main())
