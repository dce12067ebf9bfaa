"""36 kinds of files that people brought to trainers and were refused, or trained wrongly, without a word.

Most are of public issues, which `source` names; the files are made here. Handled as a person would want:
the rows that are meant, with what must be said of them, or one line that names file, row, key and mend, and
exit code 2."""

import gzip
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from finewright.features.data.check import check
from finewright.features.data.rows import read_options
from finewright.rows.fates import fates
from finewright.rows.tally import usable

Said = list[tuple[str, str]]
Q, A = "Is the fee refundable?", "Yes, within 14 days."
QA: Said = [("user", Q), ("assistant", A)]
LF, AX, TRL, UNSLOTH = (
    "hiyouga/LLaMA-Factory#{}",
    "axolotl-ai-cloud/axolotl#{}",
    "huggingface/trl#{}",
    "unslothai/unsloth#{}",
)


class Malformed(NamedTuple):
    """A kind: where it was told of, its files, and either its rows or what its error says, with its place.

    `says` must be said beside rows, too; `reading` is what a person adds once a hint told so."""

    kind: str
    source: str
    files: Mapping[str, bytes]
    rows: list[Said]
    place: str = ""
    says: str = ""
    reading: Mapping[str, Any] = {}


def lines(*rows: object, name: str = "rows.jsonl") -> dict[str, bytes]:
    made = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    return {name: "".join(f"{line}\n" for line in made).encode()}


def turns(*said: tuple[str, object], keys: tuple[str, str] = ("role", "content")) -> list[Any]:
    return [dict(zip(keys, turn, strict=True)) for turn in said]


def shared(*said: tuple[str, object]) -> list[Any]:
    return turns(*said, keys=("from", "value"))


def workbook(*rows: tuple[object, ...]) -> bytes:
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def parquet(*rows: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


def cases() -> list[Malformed]:
    alpaca = {"instruction": Q, "input": "", "output": A}
    pair = {"prompt": Q, "completion": A}
    chat = {"messages": turns(("user", Q), ("assistant", A))}
    calling = {"function": {"name": "f", "arguments": {"day": 14}}}
    called = [
        *turns(("user", Q)),
        {"role": "assistant", "tool_calls": [calling]},
        {"role": "tool", "name": "f", "content": "yes"},
        *turns(("assistant", A)),
    ]
    tool_said = [("user", Q), ("assistant", ""), ("tool", "yes"), ("assistant", A)]
    table = f'prompt,completion\n"{Q}","{A}"\n'
    china = {"prompt": "费用可以退还吗 请告诉我", "completion": "可以 十四天之内都能退还"}
    china_said = [("user", china["prompt"]), ("assistant", china["completion"])]
    gbk = json.dumps(china, ensure_ascii=False).encode("gbk") + b"\n"
    manifest = {
        "mine": {
            "file_name": "rows.json",
            "formatting": "sharegpt",
            "tags": {
                "role_tag": "from",
                "content_tag": "value",
                "user_tag": "user",
                "assistant_tag": "assistant",
            },
        }
    }
    return [
        Malformed(
            "roles beyond human and gpt",
            AX.format(325),
            lines({"conversations": shared(("human", Q), ("bing", A))}),
            [QA],
        ),
        Malformed(
            "a JSON array instead of lines",
            AX.format(744),
            {"rows.json": json.dumps([alpaca, alpaca], indent=1).encode()},
            [QA, QA],
        ),
        Malformed(
            "preferences of messages in .json",
            AX.format(1868),
            {
                "rows.json": json.dumps(
                    [
                        {
                            "prompt": Q,
                            "chosen": turns(("assistant", A)),
                            "rejected": turns(("assistant", "No.")),
                        }
                    ]
                ).encode()
            },
            [QA],
        ),
        Malformed(
            "arguments of another type in every row",
            AX.format(3136),
            lines(
                *(
                    {
                        "messages": [
                            *called[:1],
                            {
                                "role": "assistant",
                                "tool_calls": [
                                    {"id": "c", "function": {"name": "f", "arguments": given}}
                                ],
                            },
                            {"role": "tool", "tool_call_id": "c", "content": "yes"},
                            called[3],
                        ]
                    }
                    for given in ('{"day": 14}', {"day": "14"})
                )
            ),
            [tool_said, tool_said],
        ),
        Malformed(
            "template-free segments",
            "axolotl-ai-cloud/axolotl, docs/dataset-formats/template_free.qmd",
            lines(
                {
                    "segments": [
                        {"label": False, "text": f"<s>{Q}"},
                        {"label": True, "text": f"{A}</s>"},
                    ]
                }
            ),
            [QA],
            says="text without a template",
        ),
        Malformed(
            "GBK text",
            LF.format(7016),
            {"rows.jsonl": gbk},
            [],
            "rows.jsonl:1",
            "--encoding gb18030",
        ),
        Malformed(
            "GBK text, its encoding named",
            LF.format(7016),
            {"rows.jsonl": gbk},
            [china_said],
            reading={"encoding": "gb18030"},
        ),
        Malformed("an empty file", LF.format(3639), {"rows.json": b""}, [], "rows.json:", "empty"),
        Malformed(
            "tools that are a blank",
            LF.format(7547),
            lines({"conversations": shared(("human", Q), ("gpt", A)), "tools": " "}),
            [QA],
        ),
        Malformed(
            "an object for an output",
            LF.format(4249),
            lines({**alpaca, "output": {"refund": {"days": 14}}}),
            [],
            "rows.jsonl:1: output",
            "object",
        ),
        Malformed(
            "tags of the manifest that are not the file's",
            "QwenLM/Qwen3#1314",
            {
                "dataset_info.json": json.dumps(manifest).encode(),
                **lines({"conversations": shared(("human", Q), ("gpt", A))}, name="rows.json"),
            },
            [QA],
        ),
        Malformed(
            "a file that the manifest does not list",
            LF.format(5341),
            {
                "dataset_info.json": b'{"a": {"file_name": "a.json"}}',
                "a.json": json.dumps([alpaca]).encode(),
                **lines(pair, name="train1.jsonl"),
            },
            [QA],
            says="does not list them: train1.jsonl",
        ),
        Malformed(
            "a manifest that is no JSON",
            LF.format(5969),
            {"dataset_info.json": b'{"a": {file_name: "rows.jsonl"}}', **lines(alpaca)},
            [QA],
            says="dataset_info.json",
        ),
        Malformed(
            "a conversation that ends with a question",
            LF.format(7777),
            lines({"conversations": shared(("human", Q), ("gpt", A), ("human", "Thanks"))}),
            [[*QA, ("user", "Thanks")]],
            says="the last turn is the user's",
        ),
        Malformed(
            "the turns in one text",
            LF.format(2529),
            lines({"system": "SYSTEM: You help.", "chat": f"USER: {Q}\n\nASSISTANT: {A}"}),
            [],
            "rows.jsonl:1",
            "found: `system`, `chat`",
        ),
        Malformed(
            "typed parts with a value and a loss_weight",
            LF.format(9607),
            lines(
                {
                    "messages": [
                        {"role": r, "content": [{"type": "text", "value": t}], "loss_weight": w}
                        for r, t, w in (("user", Q, 0.0), ("assistant", A, 1.0))
                    ]
                }
            ),
            [QA],
        ),
        Malformed(
            "lists of turns without a key",
            UNSLOTH.format(321),
            {"rows.json": json.dumps([shared(("human", Q), ("gpt", A))] * 2).encode()},
            [QA, QA],
        ),
        Malformed(
            "rows that repeat each other",
            UNSLOTH.format(1766),
            {"rows.csv": (table + table.partition("\n")[2]).encode()},
            [QA, QA],
            says="repeats an earlier row",
        ),
        Malformed(
            "answers that are numbers in CSV",
            UNSLOTH.format(1769),
            {"rows.csv": b'Query,Answer\n"123?","456"\n'},
            [[("user", "123?"), ("assistant", "456")]],
            reading={"columns": {"prompt": "Query", "completion": "Answer"}},
        ),
        Malformed(
            "a preference of two dialogues in text",
            TRL.format(2164),
            lines(
                {
                    "chosen": f"\n\nHuman: {Q}\n\nAssistant: {A}",
                    "rejected": f"\n\nHuman: {Q}\n\nAssistant: No.",
                }
            ),
            [QA],
        ),
        Malformed(
            "a preference of two texts without a prompt",
            "huggingface/trl#2131",
            lines({"chosen": "The sky is blue.", "rejected": "The sky is green."}),
            [[("user", "The sky is"), ("assistant", " blue.")]],
            says="as TRL does",
        ),
        Malformed(
            "a message without content",
            TRL.format(1777),
            lines({"messages": turns(("user", None), ("assistant", A))}),
            [],
            "rows.jsonl:1: messages[0].content",
            "null",
        ),
        Malformed(
            "results that name no call",
            TRL.format(5311),
            lines({"messages": called}),
            [tool_said],
            says="matched with the calls",
        ),
        Malformed(
            "keys that Arrow filled with nulls",
            "modelscope/ms-swift#6467",
            {
                "rows.parquet": parquet(
                    {
                        "messages": [
                            {"role": "user", "content": Q, "tool_calls": None},
                            {"role": "assistant", "content": A, "tool_calls": None},
                        ],
                        "label": None,
                    }
                )
            },
            [QA],
        ),
        Malformed(
            "pictures",
            "modelscope/ms-swift#1922",
            lines({"query": Q, "response": A, "rejected_response": "No.", "images": ["a.png"]}),
            [],
            "rows.jsonl:1: images",
            "only text is trained",
        ),
        Malformed(
            "lines of other columns",
            "huggingface/datasets#7169",
            lines({**pair, "source": "a"}, pair, {**pair, "score": 1}),
            [QA, QA, QA],
        ),
        Malformed(
            "a message that is no object",
            "MakazhanAlpamys/Soup#670",
            lines({"messages": [Q]}),
            [],
            "rows.jsonl:1: messages[0]",
            "a message is an object",
        ),
        Malformed(
            "an empty output",
            "oobabooga/textgen#2710",
            lines({**alpaca, "output": ""}),
            [],
            "rows.jsonl:1: output",
            "nothing",
        ),
        Malformed(
            "a comma after every line",
            "oobabooga/textgen#2500",
            {"rows.jsonl": json.dumps(chat).encode() + b",\n"},
            [],
            "rows.jsonl:1",
            "broken JSON at column",
        ),
        Malformed(
            "Python's quotes",
            LF.format(5969),
            {"rows.jsonl": repr(pair).encode() + b"\n"},
            [],
            "rows.jsonl:1",
            "double quotes",
        ),
        Malformed(
            "NaN in a column that nobody trains on",
            "what json.dumps of Python writes",
            {"rows.jsonl": json.dumps({**pair, "score": float("nan")}).encode() + b"\n"},
            [QA],
            says="read as null",
        ),
        Malformed(
            "a key that stands twice",
            "im-anishraj/arnio#1708",
            {
                "rows.jsonl": f'{{"id": 1, "prompt": "{Q}", "id": 2, "completion": "{A}"}}\n'.encode()
            },
            [QA],
            says="twice",
        ),
        Malformed(
            "quotes inside a quoted cell",
            "Tariq60/LIAR-PLUS#3",
            {"rows.csv": f'prompt,completion\n"Is the "fee" refundable?","{A}"\n'.encode()},
            [[("user", 'Is the "fee" refundable?'), ("assistant", A)]],
            says="not doubled",
        ),
        Malformed(
            "a spreadsheet's own export",
            "JetBrains-Research/jbr#140",
            {"rows.csv": f"\ufeffsep=;\r\nprompt;completion\r\n{Q};{A}\r\n".encode()},
            [QA],
        ),
        Malformed(
            "an Excel workbook",
            "argilla-io/argilla-streamlit#6",
            {"rows.xlsx": workbook(("prompt", "completion", "n"), (Q, A, 1))},
            [QA],
        ),
        Malformed(
            "an archive that is cut off",
            "a download that broke off",
            {"rows.jsonl.gz": gzip.compress(lines(*[pair] * 50)["rows.jsonl"], mtime=0)[:-12]},
            [],
            "rows.jsonl.gz",
            "cut off",
        ),
    ]


def mistakes(case: Malformed) -> list[str]:
    """What is not as a person would want; nothing where all is."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in case.files.items():
            (Path(folder) / name).write_bytes(content)
        is_alone = len(case.files) == 1
        path = Path(folder) / next(iter(case.files)) if is_alone else Path(folder)
        options = read_options(**case.reading)
        report = check(path, options)
        rows = usable(fates(path, options)).rows
    told = [problem.line().replace(f"{folder}/", "") for problem in report.problems]
    found = [[(turn["role"], turn["content"]) for turn in row.messages] for row in rows]
    checks: dict[str, Callable[[], bool]] = {
        f"rows: {found}": lambda: found == case.rows or (bool(case.place) and not case.rows),
        f"passed: {report.passed}": lambda: report.passed == (not case.place),
        f"said: {told}": lambda: not case.says or any(case.says in line for line in told),
        f"place: {told}": lambda: (
            not case.place or any(line.startswith(case.place) for line in told)
        ),
        f"lines: {told}": lambda: not any("\n" in line or "Traceback" in line for line in told),
    }
    return [what for what, holds in checks.items() if not holds()]
