"""What of an output is compared: names, numbers, counts and decisions. Not prose, nor what another machine,
day or folder changes."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

TOLERANCE = 1e-3
"""Relative, of numbers with a fraction: a loss's last digits depend on the processor. Counts are exact."""
LONGEST = 12
"""Of a longer list the first items are kept, and how many there are."""

VARIES = re.compile(
    r"(train_|training_)?seconds.*|.*_per_second|.*gflops|answer_ms.*|first_token_ms.*|usd|usd_per_solved"
    r"|created|today|observed_at|stated_on|age_days|deadlines|detail|device|importer|integrity|threads"
    r"|bytes|query_ms|peak_gib|merkle_root|digest|.*sha256|cores_others_used?|latency|is_\w+_frontier"
)
"""Keys whose values another machine, day or version changes."""
NAMES = {
    *("answer", "arm", "arms", "against", "completion", "content", "data", "document", "expected"),
    *("gpu", "heading_path", "high_winner", "low_winner", "prompt", "question", "quote", "system"),
    *("text", "title", "types", "value", "winner"),
}
"""Keys whose text is data or a name, and is compared although it has spaces. All other text with a space is
prose: that it is there is compared, and its words are not."""

_PATTERNS = (
    (re.compile(r"\d{4}-\d{2}-\d{2}-([\w-]+)-[0-9a-f]{4}(-\d+)?\b"), r"<day>-\1-<key>"),
    (re.compile(r"\b(bakeoff|tune|measure)-([\w-]+)-[0-9a-f]{8}\b"), r"\1-\2-<key>"),
    (re.compile(r"\b(trial)-[0-9a-f]{8}\b"), r"\1-<key>"),
    (re.compile(r"\b[0-9a-f]{40,}\b"), "<digest>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}(T[\d:.+Z]+)?"), "<day>"),
)


def normal(value: Any, folder: str, drop: frozenset[str] = frozenset(), key: str = "") -> Any:
    """The output as it is compared; `folder` is where the command ran, `drop` keys that are left out."""
    if isinstance(value, dict):
        return {
            _named(name, folder): "<varies>"
            if VARIES.fullmatch(name)
            else normal(item, folder, drop, name)
            for name, item in value.items()
            if name not in drop
        }
    if isinstance(value, list):
        items = [item for item in value if not _is_of_the_machine(item)]
        kept = [normal(item, folder, drop, key) for item in items[:LONGEST]]
        return kept if len(items) <= LONGEST else [*kept, f"<{len(items)} in all>"]
    if isinstance(value, str):
        text = _named(value, folder)
        return "<text>" if re.search(r"\s", text) and key not in NAMES else text
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.6g}")
    return value


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """One line for each place where an output is not the kept one."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in expected.keys() | found.keys():
            yield from differences(
                expected.get(name, "<no key>"), found.get(name, "<no key>"), f"{where}.{name}"
            )
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}[{number}]")
    elif not _is_same(expected, found):
        yield f"{where}: was {json.dumps(expected)[:200]}, is {json.dumps(found)[:200]}"


def schema_keys(schema: dict[str, Any]) -> dict[str, Any]:
    """Each key of a spec by its path, with its default; a JSON Schema's names of classes are not compared."""
    keys: dict[str, Any] = {}

    def walk(node: dict[str, Any], path: str) -> None:
        if ref := node.get("$ref"):
            walk(schema["$defs"][ref.rpartition("/")[2]], path)
        for word in ("anyOf", "oneOf", "allOf"):
            for option in node.get(word, ()):
                walk(option, path)
        if items := node.get("items"):
            walk(items, f"{path}[]")
        if isinstance(more := node.get("additionalProperties"), dict):
            walk(more, f"{path}.*")
        for name, item in node.get("properties", {}).items():
            keys.setdefault(f"{path}.{name}".lstrip("."), item.get("default", "<none>"))
            walk(item, f"{path}.{name}")

    walk(schema, "")
    return keys


def _named(text: str, folder: str) -> str:
    text = text.replace(folder, "<here>").replace(folder.strip("/").replace("/", "-"), "<here>")
    for pattern, name in _PATTERNS:
        text = pattern.sub(name, text)
    return text


def _is_of_the_machine(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    is_note = item.get("level") == "info" and not item.get("file") and not item.get("key")
    return is_note or item.get("machine") == "this machine"


def _is_same(expected: Any, found: Any) -> bool:
    numbers = (int, float)
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, numbers) and isinstance(found, numbers):
        if isinstance(expected, int) and isinstance(found, int):
            return expected == found
        return math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=1e-6)
    return bool(expected == found)
