"""The commands of `finewright rag`: the options of each, and the one call that it is."""

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, Field

from finewright.feature import Session
from finewright.schema.options import CommandOptions, Flag, OneBaseModel, argument, option

IndexTarget: TypeAlias = Annotated[
    str,
    argument("SPEC|INDEX"),
    Field(description="A spec with `rag`, or an index that is there."),
]
EmbedderName: TypeAlias = Annotated[
    str,
    Field(
        description="none, wordllama, minilm, a folder or https://HOST/v1#MODEL; default: as was."
    ),
]
MostTokens: TypeAlias = Annotated[int, Field(ge=1, description="Longest answer in tokens.")]


class IndexOptions(CommandOptions):
    """What is indexed, and where."""

    targets: Annotated[tuple[str, ...], argument("SPEC|PATHS")] = option(
        ..., "A spec with `rag`, or documents, folders and JSONL."
    )
    out: str = option("", "Where the index is; default: the spec's, index.sqlite.")
    embedder: str = option("", "Instead of the spec's; without a spec: wordllama.")
    prune: bool = option(False, "Delete documents from the index that are gone.")
    delete: Annotated[tuple[str, ...], Flag(metavar="ID")] = option(
        (), "Delete this document, and do nothing else; repeatable."
    )
    tune: bool | None = option(
        None, "Tune how much words and vectors count; default: after a change."
    )


class AccessOptions(CommandOptions):
    """Which index, and as whom it is asked."""

    target: IndexTarget
    groups: Annotated[tuple[str, ...], Flag("--group")] = option(
        (), "Ask as one of this group; repeatable. Default: the public."
    )
    all: bool = option(False, "Ask as the owner, who sees the documents of all groups.")
    limit: int | None = option(None, "How many passages; default: the spec's `results`, 5.", ge=1)
    embedder: EmbedderName = ""


class SearchOptions(AccessOptions):
    """What is searched for."""

    query: Annotated[str, argument("QUERY")] = option(..., "What you want to know.")


class AskOptions(AccessOptions):
    """What is asked, and who answers."""

    question: Annotated[str, argument("QUESTION")] = option(..., "What you want to know.")
    model: str = option(..., "Who answers: a base model by name, or a run folder.")
    anyway: bool = option(False, "Ask even where no document is likely to have this.")
    max_new_tokens: MostTokens = 256
    base_model: OneBaseModel = ""


class RetrievalOptions(CommandOptions):
    """Which questions an index is judged by, and whose answers too."""

    target: IndexTarget
    questions: str = option(
        "", "JSONL of prompt, gold and completion; default: the spec's, or made."
    )
    model: str = option("", "Judge the answers of this model or run as well.")
    answers: int | None = option(
        None, "With --model: ask so many of the questions; default: all.", ge=1
    )
    samples: Path | None = option(None, "With --model: write every answer to this new file.")
    max_new_tokens: MostTokens = 256
    base_model: OneBaseModel = ""
    embedder: EmbedderName = ""


def index(options: IndexOptions, session: Session) -> BaseModel:
    """What became of every document."""
    from finewright_rag.indexing.target import index_of, target_of
    from finewright_rag.indexing.update import delete
    from finewright_rag.update_index import index as run

    o = options
    if o.delete:
        return delete(index_of(o.targets, out=o.out), o.delete)
    target = target_of(o.targets, out=o.out, embedder=o.embedder)
    return run(target, prune=o.prune, tune=o.tune, on_event=session.on_event)


def search(options: SearchOptions, session: Session) -> BaseModel:
    """The passages."""
    from finewright_rag.indexing.target import access_of, open_target
    from finewright_rag.update_index import search as run

    access = access_of(options.groups, is_owner=options.all)
    with open_target(options.target, embedder=options.embedder) as opened:
        return run(opened, options.query, access, limit=options.limit)


def ask(options: AskOptions, session: Session) -> BaseModel:
    """The answer with its checked citations."""
    from finewright_rag.ask import Answerer
    from finewright_rag.ask import ask as run
    from finewright_rag.indexing.target import access_of, open_target

    o = options
    answerer = Answerer(o.model, o.base_model, o.max_new_tokens, always_asks=o.anyway)
    access = access_of(o.groups, is_owner=o.all)
    with open_target(o.target, embedder=o.embedder) as opened:
        watch = session.on_event
        return run(opened, o.question, access, answerer, limit=o.limit, on_event=watch)


def evaluate(options: RetrievalOptions, session: Session) -> BaseModel:
    """How often the right document is found, and how good answers are."""
    from finewright_rag.answers import Answering
    from finewright_rag.answers import evaluate as run
    from finewright_rag.ask import Answerer
    from finewright_rag.indexing.target import open_target

    o = options
    answerer = Answerer(o.model, base_model=o.base_model, max_new_tokens=o.max_new_tokens)
    asking = Answering(answerer, o.answers, o.samples)
    with open_target(o.target, embedder=o.embedder) as opened:
        return run(opened, asking, questions=o.questions, on_event=session.on_event)
