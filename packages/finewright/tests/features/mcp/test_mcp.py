"""`finewright mcp` answers the client of the mcp package over stdio."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from finewright.feature import EFFECTS
from finewright.features.mcp.server import tool_name
from finewright.table import commands
from installed import ROOT

ROWS = '{"prompt": "Q", "completion": "A"}\nnot JSON\n'


def asked(folder: Path, work: Callable[[ClientSession], Awaitable[Any]], *flags: str) -> Any:
    """What the work returns, of a session with a server in that folder."""

    async def session() -> Any:
        argv = ["-m", "finewright", "mcp", *flags]
        server = StdioServerParameters(command=sys.executable, args=argv, cwd=folder)
        async with stdio_client(server) as streams, ClientSession(*streams) as talk:
            await talk.initialize()
            return await work(talk)

    return asyncio.run(session())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    return tmp_path


@pytest.mark.parametrize("allow", EFFECTS)
def test_the_tools_are_the_commands_that_do_no_more_than_is_allowed(
    folder: Path, allow: str
) -> None:
    found = asked(folder, lambda talk: talk.list_tools(), "--allow", allow).tools
    allowed = EFFECTS[: EFFECTS.index(allow) + 1]
    assert {tool.name for tool in found} == {
        tool_name(command)
        for _, command in commands().values()
        if command.effect in allowed and not (command.is_talk or command.is_by_hand)
    }
    check = next(tool for tool in found if tool.name == "data_check")
    assert check.description.endswith("cannot be used. Effect: reads.")
    assert check.input_schema["required"] == ["path"]
    assert ("fix" in check.input_schema["properties"]) == (allow != "reads")


def test_a_tool_answers_with_the_brief_and_keeps_the_whole(folder: Path) -> None:
    async def work(talk: ClientSession) -> tuple[Any, Any]:
        brief = await talk.call_tool("data_check", {"path": "rows.jsonl"})
        whole = await talk.read_resource(json.loads(brief.content[0].text)["whole"])
        return brief, whole

    called, read = asked(folder, work)
    brief, whole = json.loads(called.content[0].text), json.loads(read.contents[0].text)
    assert not called.is_error
    assert called.structured_content == brief
    assert (brief["passed"], brief["problems"]["error"]) == (False, 1)
    assert brief["problems"]["first"][0].startswith("rows.jsonl:2: ")
    assert brief["numbers"]["rows_kept"] == 1
    assert [p["row"] for p in whole["problems"]] == [2]


@pytest.mark.parametrize(
    ("tool", "given", "line"),
    [
        ("data_trace", {"run": "runs/no", "row": "0"}, "error: runs/no: "),
        ("data_check", {"pth": "rows.jsonl"}, "error: data check: path: Field required"),
        ("data_check", {"path": "rows.jsonl", "fix": "new.jsonl"}, "with these options it writes"),
        ("data_report", {"path": "rows.jsonl"}, "error: data_report: is not allowed here"),
        ("data_chek", {}, "did you mean 'data_check'?"),
        ("trust_add", {"path": "."}, "there is no tool 'trust_add'"),
        ("decide", {}, "this asks a person"),
    ],
)
def test_what_may_not_be_or_is_wrong_is_one_line(
    folder: Path, tool: str, given: dict[str, Any], line: str
) -> None:
    found = asked(folder, lambda talk: talk.call_tool(tool, given))
    assert found.is_error
    assert line in found.content[0].text
    assert [path.name for path in folder.iterdir()] == ["rows.jsonl"]


def test_a_tool_that_may_write_writes(folder: Path) -> None:
    given = {"path": "rows.jsonl", "fix": "new.jsonl"}
    found = asked(folder, lambda talk: talk.call_tool("data_check", given), "--allow", "writes")
    assert not found.is_error
    assert (folder / "new.jsonl").read_text().count("\n") == 1


def test_runs_and_pages_can_be_read(folder: Path) -> None:
    kept = ROOT / "packages/finewright/tests/golden/kept"

    async def work(talk: ClientSession) -> tuple[Any, Any, Any]:
        listed = (await talk.list_resources()).resources
        run = next(each.uri for each in listed if each.uri.startswith("finewright://runs/"))
        page = await talk.read_resource("finewright://docs/data.md")
        return listed, page, await talk.read_resource(run)

    listed, page, run = asked(folder, work, "--runs", str(kept))
    assert page.contents[0].text == (ROOT / "docs/data.md").read_text(encoding="utf-8")
    assert json.loads(run.contents[0].text)["summary"]["name"] == "tiny"
    assert all(resource.name for resource in listed)


@pytest.mark.parametrize("uri", ["finewright://docs/../README.md", "file:///etc/passwd"])
def test_what_is_not_listed_cannot_be_read(folder: Path, uri: str) -> None:
    async def work(talk: ClientSession) -> str:
        with pytest.raises(MCPError) as refused:
            await talk.read_resource(uri)
        return refused.value.message

    assert asked(folder, work) == f"there is no {uri}"


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['finewright', 'mcp']\n"
        "from finewright.cli.main import main; main()"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.endswith("/packages/finewright[mcp]'\n")
