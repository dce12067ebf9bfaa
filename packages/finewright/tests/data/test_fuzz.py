"""Malformed files of every container: never a traceback, never a hang, never a lost row.

The suite runs a sample. All 10,000: `python -m tests.data.test_fuzz`."""

import bz2
import codecs
import gzip
import io
import json
import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from finewright.features.data.check import check, fix
from finewright.rows.read import ReadRow, read_rows, records
from finewright.schema.data_check import DataCheckReport

SAMPLE, ALL, NUM_LARGE = 700, 10_000, 200
MOST_SECONDS = 2.0

GOOD = '{"prompt": "Q", "completion": "A"}'
CHAT = '{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}'
LINES = [
    GOOD,
    CHAT,
    CHAT[:-9],
    '{"messages": [{"role": "gpt", "content": null}, 7, null, {}], "label": "true"}',
    '{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}',
    '{"instruction": "Q", "input": [], "output": {}}',
    '{"prompt": "Q", "chosen": [], "rejected": {"role": "assistant"}}',
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"a": -Infinity}',
    '{"a": 1, "a": 1}',
    '{"a": 1, "a": 2}',
    r'{"a": "\ud800"}',
    r'{"\udfff": "\u0000"}',
    '{"a": "x\0"}',
    '{"a": ' + "9" * 5000 + "}",
    '{"a": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "[" * 10_000,
    '{"a":' * 10_000,
    "[]",
    "{}",
    "null",
    '"text"',
    "7",
    "{",
    "}",
    "[",
    "],",
    '"',
    "prompt,completion",
    "prompt\tcompletion\tprompt",
    'Q,"A',
    'Q,"A"x',
    "a;b;c",
    "# Heading",
    "```",
]
ENDS = ["\n", "\r\n", "\n\n", "\r", " \n", ""]
SUFFIXES = [".jsonl", ".json", ".csv", ".tsv", ".txt", ".md", ".parquet", ".arrow", ".gz", ""]
MAGIC = [
    b"PAR1",
    b"ARROW1\0\0",
    b"\xff\xff\xff\xff",
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"%PDF-1.7",
    b"BZh9",
    codecs.BOM_UTF8,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    b"\0" * 40,
]


def in_parquet(text: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"prompt": text.split("\n"), "completion": text.split("\n")}), out)
    return out.getvalue()


def in_arrow(text: str) -> bytes:
    out = io.BytesIO()
    table = pa.table(
        {"messages": [[{"role": "user", "content": part}] for part in text.split("\n")]}
    )
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def in_arrow_stream(text: str) -> bytes:
    out = io.BytesIO()
    table = pa.table({"prompt": text.split("\n")})
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def in_zip(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("rows.jsonl", content)
    return out.getvalue()


def encoded(text: str) -> st.SearchStrategy[bytes]:
    names = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
    plain = st.sampled_from(names).map(lambda name: text.encode(name, "surrogatepass"))
    columnar = st.sampled_from([in_parquet, in_arrow, in_arrow_stream])
    clean = text.encode("utf-8", "replace").decode()
    return plain | columnar.map(lambda write: write(clean))


PACK: list[Callable[[bytes], bytes]] = [
    lambda content: content,
    lambda content: content,
    gzip.compress,
    zstandard.compress,
    bz2.compress,
    in_zip,
    lambda content: gzip.compress(gzip.compress(content)),
]
WRAP: list[Callable[[list[str], str], str]] = [
    lambda lines, end: "".join(line + end for line in lines),
    lambda lines, end: "".join(line + end for line in lines),
    lambda lines, end: f"[{f',{end}'.join(lines)}]",
    lambda lines, end: f"[{end}{f',{end}'.join(lines)}{end}",
    lambda lines, end: f'{{{end}"data": [{f",{end}".join(lines)}]}}',
    lambda lines, end: json.dumps([json.dumps(line) for line in lines], indent=1),
]
TEXT = st.builds(
    lambda lines, end, wrap: wrap(lines, end),
    st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=8),
    st.sampled_from(ENDS),
    st.sampled_from(WRAP),
)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """The file as it is, cut anywhere, or with some of its bytes replaced."""
    cut = st.integers(0, len(content)).map(lambda at: content[:at])
    place = st.tuples(st.integers(0, max(len(content) - 1, 0)), st.binary(min_size=1, max_size=4))

    def overwritten(places: list[tuple[int, bytes]]) -> bytes:
        changed = bytearray(content)
        for at, new in places:
            changed[at : at + len(new)] = new
        return bytes(changed)

    return st.just(content) | cut | st.lists(place, max_size=4).map(overwritten)


def big(seed: int) -> bytes:
    """What is large: lines of 10 MB and more, bombs, deep JSON, files of blank lines."""
    rng = random.Random(seed)  # noqa: S311
    unit = rng.choice(
        [b"x", b"[", b'{"a":', b'"', b"\\", b"[],", b"1,", b"\n", b'{"a":1}\n', b"\0"]
    )
    # A million rows are a million rows: only what is one row, or none, is to end within seconds.
    size = 100_000 if unit.endswith(b"}\n") else rng.choice([5_000, 10_500_000, 12_000_000])
    body = unit * (size // len(unit))
    parts = [GOOD.encode(), b'{"a": "' + body + b'"}', b'{"a": [' + body]
    parts += [] if unit.endswith(b",") else [body]
    content = rng.choice([b"\n", b",\n"]).join(rng.sample(parts, rng.randint(1, 3)))
    content = rng.choice([content, b"[" + content + b"]"])
    return rng.choice([lambda c: c, gzip.compress, zstandard.compress])(content)


SMALL = (
    st.binary(max_size=300)
    | st.builds(lambda magic, rest: magic + rest, st.sampled_from(MAGIC), st.binary(max_size=300))
    | TEXT.flatmap(encoded).flatmap(
        lambda content: st.sampled_from(PACK).flatmap(lambda pack: damaged(pack(content)))
    )
)
SUFFIX = st.sampled_from(SUFFIXES)


def looked_at(folder: Path, content: bytes, suffix: str) -> DataCheckReport:
    """Read, check and mend the file, and see that no row is lost on the way."""
    path, out = folder / f"rows{suffix}", folder / "out.jsonl"
    for earlier in ("problems.jsonl", "out.jsonl", "out.rejected.jsonl"):
        (folder / earlier).unlink(missing_ok=True)
    path.write_bytes(content)
    read = read_rows(path)
    report = check(path, problems=folder / "problems.jsonl")
    fixed = fix(path, out)
    num_rows = len(read.rows) + read.num_bad
    assert report.rows_in == report.rows_kept + sum(report.rows_dropped.values())
    assert report.rows_dropped.get("unreadable", 0) == read.num_bad
    assert fixed.rows_in == num_rows
    assert num_rows or not report.passed
    assert read.rows or any(problem.level == "error" for problem in read.problems)
    assert path.read_bytes() == content
    if fixed.rows_written:
        assert read_rows(out).num_bad == 0
        assert check(out).rows_dropped == {}
    path.unlink()
    return report


def timed(content: bytes, suffix: str) -> float:
    """Seconds to read the file once; the three looks together would each be counted."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        path.write_bytes(content)
        start = time.process_time()
        check(path)
        return time.process_time() - start


@settings(max_examples=SAMPLE, deadline=None, suppress_health_check=list(HealthCheck))
@given(SMALL, SUFFIX)
def test_no_malformed_file_ends_in_a_traceback_or_a_lost_row(tmp_path_factory, content, suffix):
    looked_at(tmp_path_factory.getbasetemp(), content, suffix)


@settings(max_examples=SAMPLE // 2, deadline=None)
@given(st.lists(st.sampled_from(LINES[:24]) | st.text(max_size=20), min_size=1, max_size=12))
@example(["\ufeff", "\ufeff" + GOOD, "\ufeff\ufeff"])
def test_every_line_that_is_not_blank_is_a_row_or_an_unread_row(tmp_path_factory, lines):
    """A byte order mark is no text: a line of nothing else is blank, and said in a warning."""
    path = tmp_path_factory.getbasetemp() / "lines.jsonl"
    content = "\n".join([GOOD, *lines]).encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    numbered = list(enumerate(content.split(b"\n"), start=1))
    wanted = [i for i, line in numbered if line.removeprefix(codecs.BOM_UTF8).strip()]
    marked = [i for i, line in numbered if line.startswith(codecs.BOM_UTF8)]
    read = list(records(path))
    found = [item.row for item in read if isinstance(item, ReadRow) or item.level == "error"]
    warned = [item.row for item in read if "byte order mark" in getattr(item, "message", "")]
    assert found == wanted
    assert warned == marked


def test_large_lines_bombs_and_deep_json_end_soon_enough(tmp_path):
    for seed in range(3):
        looked_at(tmp_path, big(seed), ".jsonl")


def run_all() -> None:
    """All 10,000, with the time of each; prints what took longest."""
    seconds: list[tuple[float, str, bytes]] = []

    @settings(
        max_examples=ALL, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(SMALL, SUFFIX)
    def fuzz(content: bytes, suffix: str) -> None:
        with TemporaryDirectory() as folder:
            looked_at(Path(folder), content, suffix)
        seconds.append((timed(content, suffix), suffix, content[:60]))

    fuzz()
    tell("small", seconds)
    large = []
    for seed in range(NUM_LARGE):
        content, suffix = big(seed), SUFFIXES[seed % len(SUFFIXES)]
        with TemporaryDirectory() as folder:
            looked_at(Path(folder), content, suffix)
        large.append((timed(content, suffix), suffix, content[:60]))
    tell("large", large)


def tell(name: str, found: list[tuple[float, str, bytes]]) -> None:
    worst = sorted(found, reverse=True)[:5]
    over = sum(item[0] > MOST_SECONDS for item in found)
    line = f"{name}: {len(found)} files, {over} over {MOST_SECONDS} s; longest: {worst}"
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    run_all()
