"""A multipart body -> its fields and one file, bounded in bytes, parts and time.

Covered: a body without end, a part without end, one byte a second, many parts. The file is on the disk
beyond a megabyte, never whole in memory."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import IO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from finewright_serve.gateway.errors import ApiError, unsupported

_FIELD_BYTES = 16 * 1024
_MOST_FIELDS = 8
_ROOM = 64 * 1024
"""Bytes of a body beside the file: names, boundaries, fields."""
_LONGEST_NAME = 200
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f/\\]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """What was posted: a file that is open, what its client calls it, and its purpose."""

    content: IO[bytes]
    filename: str
    purpose: str


@asynccontextmanager
async def upload_of(
    request: Request, *, most_bytes: int, idle_seconds: float, seconds: float
) -> AsyncGenerator[Upload, None]:
    """The file of the request, closed at the end. `idle_seconds` is the longest silence of the client."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise ApiError("the body must be multipart/form-data with purpose and file", status=415)
    body = _bounded(request, most_bytes, idle_seconds)
    try:
        async with asyncio.timeout(seconds):
            form = await _form(request, body)
    except TimeoutError:
        raise ApiError(f"the file did not come within {seconds:g} s", status=408) from None
    try:
        yield _upload(form)
    finally:
        await form.close()


async def _form(request: Request, body: AsyncGenerator[bytes, None]) -> FormData:
    parser = MultiPartParser(
        request.headers, body, max_files=1, max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise ApiError(f"the body is not readable multipart/form-data: {error.message}") from None
    except (ValueError, UnicodeError):
        raise ApiError("the body is not readable multipart/form-data") from None
    finally:
        with suppress(Exception):
            await body.aclose()


async def _bounded(
    request: Request, most_bytes: int, idle_seconds: float
) -> AsyncGenerator[bytes, None]:
    too_large = ApiError(f"the file is larger than {most_bytes} bytes", status=413)
    most = most_bytes + _ROOM
    declared = request.headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit() or int(declared[:15]) > most:
        raise too_large
    num_bytes, parts = 0, request.stream()
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                part = await anext(parts)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ApiError(f"nothing came for {idle_seconds:g} s", status=408) from None
        except ClientDisconnect:
            raise ApiError("the client left") from None
        num_bytes += len(part)
        if num_bytes > most:
            raise too_large
        yield part


def _upload(form: FormData) -> Upload:
    given = form.multi_items()
    for name, _ in given:
        if name.startswith("expires_after"):
            raise unsupported("expires_after", "files stay until they are deleted")
        if name not in ("file", "purpose"):
            raise ApiError(
                f"unknown parameter: {name[:64]}", param=name[:64], code="unknown_parameter"
            )
    file, purpose = form.get("file"), form.get("purpose")
    if not isinstance(file, UploadFile) or not isinstance(purpose, str) or len(given) != 2:  # noqa: PLR2004
        raise ApiError("one file and its purpose are needed: purpose=fine-tune", param="file")
    return Upload(file.file, _name(file.filename or ""), purpose)


def _name(given: str) -> str:
    """What a client calls a file, to be shown: one line, without a path."""
    last = re.split(r"[/\\]", given)[-1]
    return _UNSHOWN.sub("", last)[:_LONGEST_NAME] or "rows.jsonl"
