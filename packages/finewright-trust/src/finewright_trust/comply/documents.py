"""The documents that regimes ask for, as data: sections and fields, each with the query that fills it."""

from functools import cache
from importlib.resources import files

from finewright.catalog.models import read_packaged
from finewright.sdk import Model
from finewright_trust.comply.evidence import Records
from finewright_trust.comply.report import DocumentField, DocumentSection, FilledDocument

_FORMS = "finewright_trust.comply.forms"


class FieldForm(Model):
    """A field: its name, and the queries whose first answer fills it."""

    name: str
    fill: tuple[str, ...]


class SectionForm(Model):
    """A part of a document."""

    title: str
    fields: tuple[FieldForm, ...]


class DocumentForm(Model):
    """A document: what asks for it, and its parts."""

    id: str
    title: str
    article: str
    source: str
    sections: tuple[SectionForm, ...]


@cache
def forms() -> tuple[DocumentForm, ...]:
    """Every document, by the name of its file."""
    names = sorted(each.name for each in files(_FORMS).iterdir() if each.name.endswith(".yaml"))
    return tuple(read_packaged(name, DocumentForm, _FORMS) for name in names)


def fill(form: DocumentForm, records: Records) -> FilledDocument:
    """The document with what is known."""
    return FilledDocument(
        id=form.id,
        title=form.title,
        article=form.article,
        source=form.source,
        sections=tuple(
            DocumentSection(title=part.title, fields=tuple(_field(f, records) for f in part.fields))
            for part in form.sections
        ),
    )


def _field(form: FieldForm, records: Records) -> DocumentField:
    found = [records.find(query) for query in form.fill]
    given = next((each for each in found if each.kind != "missing"), None)
    if given is None:
        return DocumentField(name=form.name, kind="missing", value="", source=found[0].hint)
    return DocumentField(name=form.name, kind=given.kind, value=given.value, source=given.link)
