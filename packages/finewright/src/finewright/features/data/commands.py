"""The commands of `finewright data`: the one call that each is."""

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from finewright.feature import Session
from finewright.features.data.options import (
    CheckOptions,
    DocumentsOptions,
    DuplicatesOptions,
    GetOptions,
    PersonalOptions,
    PrepareOptions,
    ReportOptions,
    SectionsOptions,
    ShowOptions,
    TraceOptions,
    WithoutOptions,
)
from finewright.schema.options import CommandOptions


def show(options: ShowOptions, session: Session) -> BaseModel:
    """Containers, formats, keys, and the first rows."""
    from finewright.features.data.show import show as run

    return run(options.path, options.read_options(), limit=options.rows)


def check(options: CheckOptions, session: Session) -> BaseModel:
    """What becomes of every row, or of every row that could be mended."""
    from finewright.features.data.check import check as run
    from finewright.features.data.check import fix

    o = options
    if o.fix:
        return fix(o.path, o.fix, o.read_options(), o.problems, by_type=o.by_type)
    return run(o.path, o.read_options(), o.problems)


def duplicates(options: DuplicatesOptions, session: Session) -> BaseModel:
    """The repeats."""
    from finewright.features.data.duplicates import duplicates as run
    from finewright.schema.duplicates import DuplicatesSpec

    o = options
    spec = DuplicatesSpec(exact=o.exact, near=o.near, similarity=o.similarity)
    rows = o.read_options()
    return run(o.paths, spec=spec, against=o.against, out=o.out, fail_on=o.fail_on, options=rows)


def personal(options: PersonalOptions, session: Session) -> BaseModel:
    """Personal data and secrets."""
    from finewright.features.data.privacy import personal_spec, privacy
    from finewright.schema.privacy import SecretsSpec

    o = options
    found = personal_spec(o.action, o.kinds, o.key_file, o.ner)
    secrets = SecretsSpec(action=o.secrets)
    return privacy(o.path, personal=found, secrets=secrets, out=o.out, options=o.read_options())


def prepare(options: PrepareOptions, session: Session) -> BaseModel:
    """Data of any size, checked and deduplicated; a call that was cut goes on where it was."""
    from finewright.features.data.prepare import prepare as run
    from finewright.features.data.privacy import personal_spec
    from finewright.schema.scale import PrepareSpec

    o = options
    spec = PrepareSpec.model_validate(
        {
            "duplicates": {"exact": o.exact, "near": o.near, "similarity": o.similarity},
            "personal_data": personal_spec(o.action, o.kinds, o.key_file),
            "secrets": {"action": o.secrets},
            **o.reading(),
        }
    )
    watch = session.on_event
    return run(o.paths, out=o.out, spec=spec, engine=o.engine, workers=o.workers, on_event=watch)


def documents(options: DocumentsOptions, session: Session) -> BaseModel:
    """One record of text for each document."""
    from finewright.features.data.documents import documents as run

    return run(options.paths, options.out)


def sections(options: SectionsOptions, session: Session) -> BaseModel:
    """The documents by their headings."""
    from finewright.features.data.documents import examples

    return examples(options.documents, options.out, longest=options.longest)


def report(options: ReportOptions, session: Session) -> BaseModel:
    """The page about the data."""
    from finewright.features.data.row_page import report as run

    return run(options.path, out=options.out, options=options.read_options())


def trace(options: TraceOptions, session: Session) -> BaseModel:
    """Where the row came from."""
    from finewright.features.data.trace import trace as run

    return run(options.run, options.row)


def without(options: WithoutOptions, session: Session) -> BaseModel:
    """The rows that are left."""
    from finewright.features.data.trace import without as run

    return run(options.run, options.source)


def list_sets(options: CommandOptions, session: Session) -> BaseModel:
    """The sets that can be built."""
    from finewright.data.sets.build import data_sets

    return data_sets()


def get(options: GetOptions, session: Session) -> BaseModel:
    """A set, fetched and built."""
    from finewright.data.sets.build import build_set

    out = options.out or Path("datasets") / options.name
    return build_set(options.name, out, include_copyleft=options.include_copyleft)


def _count_to(session: Session, event_type: str) -> Callable[[int, int], None]:
    """What says how much of how much is done."""
    return lambda done, total: session.on_event(event_type, {"done": done, "total": total})
