"""36 more kinds of files that people bring: what editors, spreadsheets, pandas and exports make of rows.

Each was tried before anything was mended for it; `source` says who makes such files."""

import io
import json
from collections.abc import Callable
from typing import Any

from .malformed import QA, A, Malformed, Q, Said, lines, parquet, shared, turns, workbook

PAIR = {"prompt": Q, "completion": A}
CSV = f'prompt,completion\n{Q},"{A}"\n'
Build = Callable[[Any], None]  # Any: openpyxl has no types


def book(build: Build) -> bytes:
    from openpyxl import Workbook

    made, out = Workbook(), io.BytesIO()
    build(made)
    made.save(out)
    return out.getvalue()


def merged(made: Any) -> None:
    for row in (("instruction", "input", "output"), (Q, "5 EUR", A), ("Who?", None, "I.")):
        made.active.append(row)
    made.active.merge_cells("B2:B3")


def reordered(made: Any) -> None:
    for sheet, rows in (
        (made.active, (("prompt", "completion"), (Q, A))),
        (made.create_sheet("b"), (("completion", "prompt"), (A, Q))),
    ):
        for row in rows:
            sheet.append(row)


def doubled() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    arrays = [pa.array([Q]), pa.array([A]), pa.array([A])]
    pq.write_table(pa.Table.from_arrays(arrays, names=["prompt", "prompt", "completion"]), out)
    return out.getvalue()


def tables() -> list[Malformed]:
    chat = repr(turns(("user", Q), ("assistant", A))).replace('"', '""')
    listed = json.dumps([{"name": "Bob"}])
    return [
        Malformed(
            "an index without a name",
            "pandas.to_csv",
            {"a.csv": f',prompt,completion\n0,{Q},"{A}"\n'.encode()},
            [QA],
        ),
        Malformed(
            "a delimiter at the end of every line",
            "spreadsheets",
            {"a.csv": f"prompt;completion;\n{Q};{A};\n".encode()},
            [QA],
        ),
        Malformed(
            "messages as Python prints them",
            "pandas.to_csv",
            {"a.csv": f'messages\n"{chat}"\n'.encode()},
            [QA],
        ),
        Malformed(
            "an answer that is a list of objects",
            "extraction tasks",
            {
                "a.csv": f'prompt,completion\n{Q},"{listed.replace(chr(34), chr(34) * 2)}"\n'.encode()
            },
            [[("user", Q), ("assistant", listed)]],
        ),
        Malformed(
            "quotes after a backslash",
            "MySQL, Spark",
            {"a.csv": f'prompt,completion\n"Is the \\"fee\\" refundable?","{A}"\n'.encode()},
            [[("user", 'Is the "fee" refundable?'), ("assistant", A)]],
            says="not doubled",
        ),
        Malformed(
            "a quote that nobody closed",
            "pytorch/text#612",
            {"a.tsv": f'prompt\tcompletion\n{Q}\t{A}\n"{Q}\t{A}\n{Q}\t{A}\n'.encode()},
            [QA],
            "a.tsv:3",
            "close each quote",
        ),
        Malformed(
            "returns alone as line ends",
            "Excel on a Mac",
            {"a.csv": CSV.replace("\n", "\r").encode()},
            [QA],
        ),
        Malformed(
            "a title above the columns",
            "reports",
            {"a.csv": f"Report,,\nprompt,completion,n\n{Q},x,1\n".encode()},
            [],
            "a.csv:",
            "leave out what stands above",
        ),
        Malformed(
            "a formula that fails",
            "spreadsheets",
            {"a.xlsx": workbook(("prompt", "completion"), (Q, "#REF!"))},
            [],
            "a.xlsx:2: completion",
            "formula that fails",
        ),
        Malformed(
            "a cell that is merged over rows",
            "spreadsheets",
            {"a.xlsx": book(merged)},
            [
                [("user", f"{Q}\n5 EUR"), ("assistant", A)],
                [("user", "Who?\n5 EUR"), ("assistant", "I.")],
            ],
            says="merged cells",
        ),
        Malformed(
            "a sheet with its columns in another order",
            "spreadsheets",
            {"a.xlsx": book(reordered)},
            [QA, QA],
        ),
        Malformed(
            "a workbook that is called .csv",
            "downloads",
            {"a.csv": workbook(("prompt", "completion"), (Q, A))},
            [],
            "a.csv:",
            ".xlsx",
        ),
        Malformed(
            "tabs in UTF-16 and .txt",
            "Excel's Unicode text",
            {"a.txt": f"prompt\tcompletion\n{Q}\t{A}\n{Q}\t{A}\n".encode("utf-16")},
            [QA, QA],
            says="UTF-16",
        ),
        Malformed(
            "a column that stands twice",
            "joins of data frames",
            {"a.parquet": doubled()},
            [],
            "a.parquet:",
            "'prompt' is there twice",
        ),
    ]


def documents() -> list[Malformed]:
    alpaca = {"instruction": Q, "input": "", "output": A}
    split = {"columns": ["prompt", "completion"], "index": [0], "data": [[Q, A]]}
    german = json.dumps(
        {"prompt": "F\u00fcr wen gilt die Geb\u00fchr?", "completion": "F\u00fcr alle."},
        ensure_ascii=False,
    )
    said: Said = [("user", "F\u00fcr wen gilt die Geb\u00fchr?"), ("assistant", "F\u00fcr alle.")]
    chat = turns(("user", Q), ("assistant", A))
    return [
        Malformed(
            "arrays one after the other",
            "cat a.json b.json",
            {"a.json": (json.dumps([alpaca]) + json.dumps([alpaca])).encode()},
            [QA, QA],
            says="2 arrays",
        ),
        Malformed(
            "splits in one object",
            "exports of data sets",
            {"a.json": json.dumps({"train": [alpaca], "test": [alpaca]}).encode()},
            [QA],
            says="only train is read, not test",
        ),
        Malformed(
            "lists of rows in one object",
            "exports of data sets",
            {"a.json": json.dumps({"good": [alpaca], "bad": [alpaca]}).encode()},
            [],
            "a.json:",
            "jq -c '.good[]'",
        ),
        Malformed(
            "columns, index and data",
            "pandas.to_json(orient='split')",
            {"a.json": json.dumps(split).encode()},
            [QA],
        ),
        Malformed(
            "conversations under one key",
            "scripts",
            {
                "a.json": json.dumps(
                    {"conversations": [chat, shared(("human", Q), ("gpt", A))]}
                ).encode()
            },
            [QA, QA],
        ),
        Malformed(
            "rows that are JSON in a text",
            "json.dumps twice",
            lines(json.dumps(json.dumps(PAIR)), name="a.jsonl"),
            [QA],
        ),
        Malformed(
            "messages that are JSON in a text",
            "Arrow, to keep one type",
            {"a.parquet": parquet({"messages": json.dumps(chat)})},
            [QA],
        ),
        Malformed(
            "lines of UTF-8 and of another encoding",
            "logs joined",
            {"a.jsonl": german.encode() + b"\n" + german.encode("cp1252") + b"\n"},
            [said],
            "a.jsonl:2",
            "other lines are UTF-8",
        ),
        Malformed(
            "a line end inside a text",
            "hscspring/hcgf#15",
            {"a.jsonl": b'{"prompt": "a\tb?", "completion": "c"}\n'},
            [],
            "a.jsonl:1",
            "a tab as \\t",
        ),
        Malformed(
            "a Windows path",
            "texts without escapes",
            {"a.jsonl": b'{"prompt": "Where?", "completion": "C:\\me"}\n'},
            [],
            "a.jsonl:1",
            "write a backslash",
        ),
        Malformed(
            "a page instead of the file",
            "downloads that failed",
            {"a.jsonl": b"<!DOCTYPE html>\n<html></html>\n"},
            [],
            "a.jsonl:",
            "web page",
        ),
    ]


def formats() -> list[Malformed]:
    question, answered = turns(("user", Q)), turns(("assistant", A))
    weighted = [
        {**each, "weight": weight}
        for each, weight in zip([*question, *answered], (None, 1.0), strict=True)
    ]
    chatml = f"<|im_start|>user\n{Q}<|im_end|>\n<|im_start|>assistant\n{A}<|im_end|>\n"
    broken = A.replace("14", "\u00c3\u00bc")
    columns = {"instruction": "q", "input": "about", "output": "a"}
    return [
        Malformed(
            "a picture beside a conversation",
            "LLaVA",
            lines(
                {"image": "a.png", "conversations": shared(("human", f"<image>\n{Q}"), ("gpt", A))},
                name="a.jsonl",
            ),
            [],
            "a.jsonl:1: image",
            "only text is trained",
        ),
        Malformed(
            "a pair after messages",
            "preference exports",
            lines({"messages": question, "chosen": A, "rejected": "No."}, name="a.jsonl"),
            [QA],
        ),
        Malformed(
            "a pair of single messages",
            "preference exports",
            lines(
                {
                    "prompt": Q,
                    "chosen": answered[0],
                    "rejected": {"role": "assistant", "content": "No."},
                },
                name="a.jsonl",
            ),
            [QA],
        ),
        Malformed(
            "weights that are 1.0",
            "Arrow, for a column with nulls",
            {"a.parquet": parquet({"messages": weighted})},
            [QA],
        ),
        Malformed(
            "a named column that some rows lack",
            "nulls of Arrow",
            lines({"q": Q, "a": A}, {"q": Q, "about": "5 EUR", "a": A}, name="a.jsonl"),
            [QA, [("user", f"{Q}\n5 EUR"), ("assistant", A)]],
            reading={"columns": columns},
        ),
        Malformed(
            "text that ChatML wrote",
            "language modelling of chats",
            lines({"text": chatml}, name="a.jsonl"),
            [QA],
            says="chat template wrote",
        ),
        Malformed(
            "text of Guanaco",
            "timdettmers/openassistant-guanaco",
            lines({"text": f"### Human: {Q}### Assistant: {A}"}, name="a.jsonl"),
            [],
            "a.jsonl:1: text",
            "write what is asked and what is answered",
        ),
        Malformed(
            "turns with keys of their own",
            "call centres",
            lines(
                {"conversations": [{"speaker": "human", "text": Q}, {"speaker": "gpt", "text": A}]},
                name="a.jsonl",
            ),
            [],
            "a.jsonl:1: conversations[0]",
            "this one has `speaker`, `text`",
        ),
        Malformed(
            "two outputs in a list",
            "old rankings of LLaMA-Factory",
            lines({"instruction": Q, "input": "", "output": [A, "No."]}, name="a.jsonl"),
            [],
            "a.jsonl:1: output",
            "write `chosen` and `rejected`",
        ),
        Malformed(
            "ratings that are 1 and 0",
            "pandas",
            {"a.csv": f'prompt,completion,label\n{Q},"{A}",1\n'.encode()},
            [QA],
            reading={"type": "unpaired_preference"},
        ),
        Malformed(
            "letters that were decoded wrongly",
            "UTF-8 read as Windows-1252",
            lines({"prompt": Q, "completion": broken}, name="a.jsonl"),
            [[("user", Q), ("assistant", broken)]],
            says="decoded wrongly",
        ),
    ]


def cases() -> list[Malformed]:
    return [*tables(), *documents(), *formats()]
