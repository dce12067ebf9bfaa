"""Commands over HTTP: POST /v1/commands/NAME, where `serve.commands` names the folder that they work in.

What reads is for every key, what writes for keys of the role admin; what trains, asks models or publishes is
refused, because jobs and the command line are for it. Each runs in a process of its own, and no path of a
request leads out of the folder."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import RootModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from finewright.errors import suggest
from finewright.feature import Command
from finewright.table import for_programs
from finewright_serve.gateway.access import REQUEST
from finewright_serve.gateway.app import asker_of
from finewright_serve.gateway.bodies import read_body
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.openapi import PostedRoute
from finewright_serve.jobs.routes import guarded

_LOG = logging.getLogger(__name__)
_EVERY_ROLE = frozenset({"user", "train", "admin"})
_BODY_BYTES, _BODY_SECONDS = 64 * 1024, 30.0
_AT_ONCE = 2
"""Commands that run at once: each may use every core."""
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "FINEWRIGHT_CACHE", "FINEWRIGHT_TODAY")
"""What of the environment a command gets; keys of others are no part of it."""
_SIGNS = re.compile(r"[\s=,:\[\]{}\"']+")


class CommandOptionsBody(RootModel[dict[str, Any]]):  # Any: the options check it
    """The options by their names, as `import finewright as fw` has them."""


@dataclass(slots=True)
class CommandsApi:
    """What the route stands on: the folder that commands work in, and their longest time."""

    folder: Path
    seconds: float
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def routes(self) -> Sequence[BaseRoute]:
        """To stand beside those of the gateway."""
        work = guarded(self._post, _EVERY_ROLE)
        path = "/v1/commands/{name}"
        return [PostedRoute(path, work, "What a command reports.", CommandOptionsBody)]

    async def _post(self, request: Request) -> Response:
        body = await read_body(
            request, CommandOptionsBody, most_bytes=_BODY_BYTES, seconds=_BODY_SECONDS
        )
        asker, given = asker_of(request), body.root
        command = _command(request.path_params["name"])
        effect = command.effect_of(name for name, value in given.items() if value)
        line = f"{REQUEST.get()}: command {command.name}, which {effect}, key {asker.key or 'none'}"
        _LOG.info("%s", line)
        if effect not in ("reads", "writes"):
            what = (
                f"{command.name}: it {effect}, which may take hours: use a job, or the command line"
            )
            raise ApiError(what, status=403, code="command_not_offered")
        if effect == "writes" and asker.role != "admin":
            raise ApiError("this writes, and needs a key of the role admin", status=403)
        check_inside(self.folder, given)
        if self._room.locked():
            what = f"{_AT_ONCE} commands are running"
            raise ApiError(what, status=429, code="rate_limit_exceeded", retry_after=5)
        async with self._room:
            answer = await self._ran(command, given)
        _LOG.info("%s: %s", line, "refused" if "error" in answer else "done")
        if "error" in answer:
            raise ApiError(answer["error"], code="invalid_value")
        return JSONResponse(
            answer["whole" if request.query_params.get("full") == "true" else "brief"]
        )

    async def _ran(self, command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the process of the command says: its brief and its whole report, or its line of error."""
        with TemporaryDirectory(prefix="finewright-command-") as own:
            environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "finewright_serve.one_command"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=self.folder,
                env=environ | {"TMPDIR": own},
                start_new_session=True,
            )
            content = json.dumps({"name": command.name, "given": given}).encode()
            try:
                async with asyncio.timeout(self.seconds):
                    out, _ = await process.communicate(content)
            except TimeoutError:
                what = f"{command.name}: ended after {self.seconds:g} s; use the command line"
                raise ApiError(what, status=504) from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # with all that it started
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"the process of {command.name} ended with {process.returncode}")
        answer: dict[str, Any] = json.loads(out)
        return answer


def _command(name: str) -> Command:
    """The command whose name is that one, with - or _ for spaces. Raises ApiError where none is offered."""
    known = {route_name(command): command for command in for_programs()}
    if name not in known:
        hint = suggest(name, known)
        what = f"there is no command {name[:64]!r} here{hint and '; ' + hint}"
        raise ApiError(what, status=404, code="command_not_found")
    return known[name]


def route_name(command: Command) -> str:
    """`data check` is `data-check`, and `decide --measure` is `decide-measure`."""
    return command.name.replace(" --", "-").replace(" ", "-")


def check_inside(folder: Path, given: object) -> None:
    """Raise ApiError where a text of the options leads out of the folder: absolute, by `..`, by a link, or
    to another machine; also as the value of `key=value`."""
    for text in _texts(given):
        is_pair = "=" in text
        hides = is_pair and ("\\" in text or "hub:" in text)  # YAML may write a path in other signs
        if hides or any(_leads_out(folder, part) for part in _parts(text)):
            what = f"{text[:100]!r}: only what lies in the server's folder of commands may be named"
            raise ApiError(what, code="path_outside")


def _parts(text: str) -> list[str]:
    """The text, and of `key=value` all that may be a path in the value."""
    return [text, *_SIGNS.split(text)] if "=" in text else [text]


def _leads_out(folder: Path, text: str) -> bool:
    if text.startswith(("/", "~", "hub:")) or "://" in text or ".." in PurePosixPath(text).parts:
        return True
    try:
        return not (folder / text).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):  # too long for a path, or with a zero byte: it opens nothing
        return False


def _texts(value: object) -> Iterator[str]:
    """Every text within it, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in (*value, *value.values()):
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
