"""What the commands of `rag` are pointed at: a spec, paths of documents, or an index that is there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright import plugins
from finewright.errors import DataError
from finewright.judge.searchable import is_text
from finewright.lm.embedders.embedder import Embedder
from finewright.lm.embedders.load import NONE, load_embedder
from finewright.schema.load_section import load_section
from finewright.schema.passages import Access
from finewright.schema.rag import RagSpec
from finewright_rag.stores.index import Index
from finewright_rag.stores.open import check_embedder, open_index, path_in, show_target

_SPECS = (".yaml", ".yml")


class IndexTarget(NamedTuple):
    """The section that a command works by, and where its paths lead."""

    spec: RagSpec
    resolve: Callable[[str], Path]

    @property
    def place(self) -> str:
        """Where the index is, as it may be printed."""
        return show_target(self.spec.index)


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index with the embedder that it was made by, and the spec it is asked by."""

    index: Index
    embedder: Embedder | None
    target: IndexTarget


def target_of(targets: Sequence[str], *, out: str = "", embedder: str = "") -> IndexTarget:
    """The `rag` section of one spec file, or that of documents given by their paths.

    `out` and `embedder` count before the spec's; paths among them lead from the current folder."""
    given = {"index": out, "embedder": embedder}
    given = {key: value for key, value in given.items() if value}
    _check_arguments([*targets, *given.values()])
    if not is_spec(targets):
        return IndexTarget(RagSpec(documents=tuple(targets)).model_copy(update=given), Path)
    loaded = load_section("rag", RagSpec, Path(targets[0]))
    here = {path_in(out), embedder}

    def resolve(path: str) -> Path:
        return Path(path) if path in here else loaded.resolve(path)

    return IndexTarget(loaded.spec.model_copy(update=given), resolve)


def is_spec(targets: Sequence[str]) -> bool:
    """Whether it is one YAML file."""
    return len(targets) == 1 and Path(targets[0]).suffix.lower() in _SPECS


def index_of(targets: Sequence[str], *, out: str = "") -> IndexTarget:
    """Where the index is that a spec or `out` names, or that the one target is."""
    if is_spec(targets) or out or len(targets) > 1:
        return target_of(targets, out=out)
    _check_arguments(targets)
    spec = RagSpec(documents=tuple(targets))
    return IndexTarget(spec.model_copy(update={"index": targets[0]}), Path)


@contextmanager
def open_target(target: str, *, embedder: str = "", folder: Path = Path()) -> Iterator[OpenIndex]:
    """The index of a spec, or the one at `target`, with its embedder; paths start from `folder`.

    Raises DataError where there is none, and where another embedder is asked for than it was made by. What
    an index says of its embedder is only followed where that comes with finewright or is installed: a
    folder, and a URL that questions would be sent to, are taken from you alone."""
    if is_spec([target]):
        index_target = target_of([str(folder / target)], embedder=embedder)
    else:
        index_target = index_of([target])._replace(resolve=folder.joinpath)
    with closing(open_index(index_target.spec.index, index_target.resolve)) as index:
        name = index_target.spec.embedder if is_spec([target]) else embedder
        loaded = load_embedder(
            name or _name_embedder(index_target.place, index.about.embedder), index_target.resolve
        )
        check_embedder(index_target.spec.index, index.about, loaded)
        yield OpenIndex(index, loaded, index_target)


def question_file(target: IndexTarget, named: str = "") -> Path | None:
    """The file of questions that is named on the command line, or else by the spec; None without either."""
    if named:
        return Path(named)
    return target.resolve(target.spec.questions) if target.spec.questions else None


def access_of(groups: Sequence[str], *, is_owner: bool) -> Access:
    """Who asks: the owner, who sees all, or someone of these groups, who sees theirs and everyone's.

    Raises DataError for both at once, and for a group that is no text."""
    if groups and is_owner:
        raise DataError("--all and --group do not go together", hint="leave one of them out")
    _check_arguments(groups)
    return None if is_owner else frozenset(groups)


def _check_arguments(given: Sequence[str]) -> None:
    """Raise DataError for one that is empty or not UTF-8."""
    for number, text in enumerate(given, 1):
        if not text:
            raise DataError(
                f"argument {number} is empty", hint="name a spec, an index or documents"
            )
        check_argument(text)


def check_argument(text: str) -> None:
    """Raise DataError for what the command line could not decode."""
    if not is_text(text):
        raise DataError(f"{text!r} is not UTF-8", hint="does your terminal write UTF-8?")


def _name_embedder(place: str, id: str) -> str:
    name = id.rpartition("@")[0] if id else NONE
    if name == NONE or name in plugins.names("embedder"):
        return name
    hint = "name it: --embedder FOLDER, https://HOST/v1#MODEL, or a spec with rag.embedder"
    raise DataError(f"{place}: made with the embedder {id!r}, which does not come along", hint=hint)
