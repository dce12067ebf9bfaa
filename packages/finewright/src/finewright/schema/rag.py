"""The `rag` section of the spec: which documents, how they are cut, embedded and kept."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from finewright.schema.common import Model, default

_SECRET = re.compile(r"(?:^|&)[^=&]*(?:password|key|token|secret)[^=&]*=", re.IGNORECASE)


class DocumentsAt(Model):
    """A file or folder, and what holds of each of its documents that does not say otherwise."""

    path: Annotated[str, Field(min_length=1, description="File or folder.")]
    groups: tuple[Annotated[str, Field(min_length=1)], ...] = default(
        (), "Groups of people who may see them", "none: they are everyone's"
    )
    license: str = default("unknown", "Their licence, told with what is cited", "never guessed")
    source: str = default("", "Where they are from, told with what is cited", "their path says it")


class RagSpec(Model):
    """Documents that answers may lean on, and the index that finds them."""

    documents: Annotated[
        tuple[Annotated[str, Field(min_length=1)] | DocumentsAt, ...],
        Field(
            min_length=1,
            description="Files and folders (Markdown, text, HTML, PDF, Word, Excel) or JSONL of `id`, `text` "
            "and, if known, `title`, `source`, `license`, `groups`; a path alone, or with the keys below.",
        ),
    ]
    index: str = default(
        "index.sqlite",
        "Where the index is kept: a file, relative to the spec file; postgresql://USER@HOST/DATABASE; "
        "qdrant:FOLDER or qdrant+http://HOST:6333/COLLECTION",
        "one file needs no server",
        min_length=1,
    )
    embedder: str = default(
        "wordllama",
        "none, wordllama, minilm, a model's folder, or an OpenAI-compatible https://HOST/v1#MODEL",
        "16 MB, no torch; how much it counts beside words is tuned",
        min_length=1,
    )
    chunk_chars: int = default(
        1200, "Longest chunk in characters", "a section of a manual", ge=100, le=20_000
    )
    results: int = default(5, "Chunks that an answer may lean on", "fits small models", ge=1, le=50)
    questions: str = default(
        "",
        "JSONL of `prompt` and `gold`, the ids of the documents that answer it, and a `completion` if known",
        "without one, questions are made of the documents' own headings and first sentences",
    )

    @field_validator("index", "embedder")
    @classmethod
    def _without_secret(cls, address: str) -> str:
        """A spec is committed, and copied into the evidence of every run."""
        if _has_secret(address):
            raise ValueError(
                "a password or key stands in the address; set the environment variable instead, PGPASSWORD,"
                " QDRANT_API_KEY or FINEWRIGHT_API_KEY"
            )
        return address


def _has_secret(address: str) -> bool:
    if "://" not in address:
        return False
    try:
        parts = urlsplit(address.partition("#")[0])
    except ValueError:
        return False  # what is wrong with it is told by who opens it
    return bool(parts.password or _SECRET.search(parts.query))
