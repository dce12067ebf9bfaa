"""The table of commands as tools, whose answers are briefs; whole reports, runs and pages as resources.

Covered: a tool does no more than `--allow` says, also by its options; what decides whom the machine trusts is
no tool. Not covered: a tool reads and writes wherever the user may, as the command does."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from finewright import __version__, plugins
from finewright.errors import DataError, FinewrightError, suggest
from finewright.feature import EFFECTS, Command, Effect
from finewright.report.brief import brief_of
from finewright.table import for_programs, run_unattended
from finewright.workbench.runs import list_runs, show

_JSON, _MARKDOWN = "application/json", "text/markdown"
_DOCS = Path(__file__).parents[6] / "docs"
_MOST_REPORTS = 20
"""Whole reports that are kept for an agent to read: those of its last calls."""


async def serve(allow: Effect, runs: Path) -> None:
    """Answer on stdin and stdout until stdin ends."""
    tools = Tools(allow)
    readings = Readings(runs, tools.reports)

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(tools.list_tools()))

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await tools.call(params.name, params.arguments or {})

    async def list_resources(context: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=list(readings.list_resources()))

    async def read_resource(
        context: Any, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            return types.ReadResourceResult(contents=[readings.read(params.uri)])
        except FinewrightError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None

    server: Server[Any] = Server(
        "finewright",
        version=__version__,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


class Tools:
    """The commands that may be called, by the names of their tools, and the last reports."""

    def __init__(self, allow: Effect) -> None:
        self._allowed = EFFECTS[: EFFECTS.index(allow) + 1]
        every = {tool_name(command): command for command in for_programs()}
        self._commands = {n: c for n, c in every.items() if c.effect in self._allowed}
        self._refused = every.keys() - self._commands.keys()
        self._one = anyio.Lock()
        self._calls = 0
        self.reports: OrderedDict[str, BaseModel] = OrderedDict()

    def list_tools(self) -> Iterator[types.Tool]:
        """Each tool with the schema of its options, without those that would do more than is allowed."""
        for name, command in self._commands.items():
            schema = plugins.load(command.options).model_json_schema()
            for option, effect in command.effects.items():
                if effect not in self._allowed:
                    schema["properties"].pop(option, None)
            yield types.Tool(
                name=name,
                description=f"{command.sentence} Effect: {command.effect}.",
                input_schema=schema,
                annotations=types.ToolAnnotations(read_only_hint=command.effect == "reads"),
            )

    async def call(self, name: str, given: Mapping[str, Any]) -> types.CallToolResult:
        """The brief of what the command reports, or its one line of error; one call after the other."""
        try:
            command = self._find_allowed(name, given)
            async with self._one:
                work = partial(run_unattended, command.name, given)
                report: BaseModel = await anyio.to_thread.run_sync(work)
        except FinewrightError as error:
            hint = f"\nhint: {error.hint}" if error.hint else ""
            return _result_of_text(f"error: {error}{hint}", is_error=True)
        brief = brief_of(report, whole=self._keep(report))
        return _result_of_text(json.dumps(brief, ensure_ascii=False), structured=brief)

    def _find_allowed(self, name: str, given: Mapping[str, Any]) -> Command:
        if name in self._refused:
            raise DataError(f"{name}: is not allowed here", hint=self._hint)
        if name not in self._commands:
            raise DataError(f"there is no tool {name!r}", hint=suggest(name, self._commands))
        command = self._commands[name]
        effect = command.effect_of(option for option, value in given.items() if value)
        if effect not in self._allowed:
            raise DataError(f"{name}: with these options it {effect}", hint=self._hint)
        return command

    @property
    def _hint(self) -> str:
        return f"this server allows: {', '.join(self._allowed)}; see `finewright mcp --allow`"

    def _keep(self, report: BaseModel) -> str:
        self._calls += 1
        uri = f"finewright://reports/{self._calls}"
        self.reports[uri] = report
        if len(self.reports) > _MOST_REPORTS:
            self.reports.popitem(last=False)
        return uri


class Readings:
    """What can be read: pages of the documentation where they are here, runs, and the last whole reports."""

    def __init__(self, runs: Path, reports: Mapping[str, BaseModel]) -> None:
        self._runs, self._reports = runs, reports

    def list_resources(self) -> Iterator[types.Resource]:
        """All that there is at this moment."""
        for uri, page in self._pages().items():
            yield types.Resource(name=f"docs/{page.name}", uri=uri, mime_type=_MARKDOWN)
        for uri, run in self._run_folders().items():
            yield types.Resource(name=str(run), uri=uri, mime_type=_JSON)
        for uri, report in self._reports.items():
            yield types.Resource(name=type(report).__name__, uri=uri, mime_type=_JSON)

    def read(self, uri: str) -> types.TextResourceContents:
        """The text of one of them: only what is listed has a name, so that no path comes from an agent."""
        if page := self._pages().get(uri):
            text = page.read_text(encoding="utf-8")
            return types.TextResourceContents(uri=uri, mime_type=_MARKDOWN, text=text)
        report = self._reports.get(uri)
        if report is None and (run := self._run_folders().get(uri)):
            report = show(run)
        if report is None:
            raise DataError(f"there is no {uri}")
        return types.TextResourceContents(
            uri=uri, mime_type=_JSON, text=report.model_dump_json(indent=1)
        )

    def _pages(self) -> dict[str, Path]:
        pages = sorted(_DOCS.rglob("*.md"))
        return {f"finewright://docs/{page.relative_to(_DOCS).as_posix()}": page for page in pages}

    def _run_folders(self) -> dict[str, Path]:
        if not self._runs.is_dir():
            return {}
        found = [Path(run.run) for run in list_runs(self._runs).runs]
        return {f"finewright://runs/{run.name}": run for run in found}


def tool_name(command: Command) -> str:
    """`data check` is `data_check`, and `decide --measure` is `decide_measure`."""
    return command.name.replace(" --", "_").replace(" ", "_").replace("-", "_")


def _result_of_text(
    text: str, *, structured: Any = None, is_error: bool = False
) -> types.CallToolResult:
    content: list[Any] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, structured_content=structured, is_error=is_error)
