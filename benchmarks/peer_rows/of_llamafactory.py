"""What LLaMA-Factory's own converters make of the data sets in a folder's `dataset_info.json`; run by the
Python that has it: `python of_llamafactory.py FOLDER`. Prints a line of JSON a data set."""

import importlib.machinery
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any


def main() -> None:
    for name in ("torchaudio",):  # only audio needs it
        if importlib.util.find_spec(name) is None:
            module = types.ModuleType(name)
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            sys.modules[name] = module
    folder = Path(sys.argv[1])
    sets = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    for name, entry in sets.items():
        lines = (folder / entry["file_name"]).read_text(encoding="utf-8").splitlines()
        convert = _version_1 if name.startswith("v1_") else _converter(folder, name)
        print(json.dumps({"name": name, "rows": [convert(json.loads(line)) for line in lines]}))


def _converter(folder: Path, name: str) -> Any:
    from llamafactory.data.converter import get_dataset_converter
    from llamafactory.data.parser import get_dataset_list

    about = get_dataset_list([name], str(folder))[0]
    convert = get_dataset_converter(
        about.formatting, about, types.SimpleNamespace(media_dir=str(folder))
    )

    def made(row: dict[str, Any]) -> dict[str, Any]:
        try:
            out = convert(row)
        except Exception as error:
            return {"skipped": f"{type(error).__name__}: {error}"}
        return _conversation(out, row.get(about.kto_tag) if about.kto_tag else None)

    return made


def _conversation(out: dict[str, Any], liked: bool | None) -> dict[str, Any]:
    if any(out[media] for media in ("_images", "_videos", "_audios")):
        return {"skipped": "media"}
    if not out["_response"]:
        return {"skipped": "no answer"}
    answers = out["_response"]
    if liked is not None:
        answers = [each for each in answers if each["content"]]
    said = [{"role": "system", "content": out["_system"]}] if out["_system"] else []
    said += [*out["_prompt"], answers[0]]
    return {
        "turns": [turn for each in said for turn in _turns(each["role"], each["content"])],
        "rejected": answers[1]["content"] if len(answers) > 1 else None,
        "label": liked,
        "tools": _tools(out["_tools"]),
    }


def _turns(role: str, content: str) -> list[tuple[str, str]]:
    if role == "function":
        calls = json.loads(content)
        return [("call", _call(call)) for call in (calls if isinstance(calls, list) else [calls])]
    return [("tool" if role == "observation" else role, content)]


def _call(call: dict[str, Any]) -> str:
    given = call["arguments"]
    given = json.loads(given) if isinstance(given, str) else given
    return json.dumps({"name": call["name"], "arguments": given}, sort_keys=True)


def _tools(stated: str) -> list[str]:
    tools = json.loads(stated) if stated else []
    return sorted(tool.get("function", tool)["name"] for tool in tools)


def _version_1(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the form of v1 is its own conversion: the parts are joined as its renderer joins them."""
    chosen = row.get("messages") or row["chosen_messages"]
    turns = [(m["role"], "".join(part["value"] for part in m["content"])) for m in chosen]
    worse = row.get("rejected_messages")
    rejected = "".join(part["value"] for part in worse[-1]["content"]) if worse else None
    return {"turns": turns, "rejected": rejected, "label": None, "tools": []}


if __name__ == "__main__":
    main()
