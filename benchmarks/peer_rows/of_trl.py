"""What TRL's own functions make of the JSONL files of a folder; run by the Python that has it:
`python of_trl.py FOLDER`. Prints a line of JSON a file."""

import json
import sys
from pathlib import Path
from typing import Any

from turns import turns_of  # beside this script, which a peer's own Python runs


def main() -> None:
    for path in sorted(Path(sys.argv[1]).glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        print(json.dumps({"name": path.stem, "rows": [made(row) for row in rows]}))


def made(row: dict[str, Any]) -> dict[str, Any]:
    from trl.data_utils import maybe_convert_to_chatml, maybe_extract_prompt

    row = maybe_extract_prompt(maybe_convert_to_chatml(dict(row)))
    answer = row.get("completion", row.get("chosen"))
    said = [
        *_side(row.get("messages"), "user"),
        *_side(row.get("prompt"), "user"),
        *_side(answer, "assistant"),
    ]
    worse = row.get("rejected")
    return {
        "turns": [turn for message in said for turn in turns_of(message)],
        "rejected": _side(worse, "assistant")[-1]["content"] if worse is not None else None,
        "label": row.get("label"),
        "tools": sorted(tool["function"]["name"] for tool in row.get("tools") or ()),
    }


def _side(value: Any, role: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    return [{"role": role, "content": value}] if isinstance(value, str) else value


if __name__ == "__main__":
    main()
