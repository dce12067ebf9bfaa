"""A file of answers to be filled in: every key with what it asks, and what is known by now."""

import json
from collections.abc import Iterator

from pydantic import BaseModel

from finewright_trust.comply.spec import ComplySpec

_HEAD = """\
# What only people can say of {name}, for `finewright comply`. Keep this file from run to run.
# null: nobody stated it. `uses` and the controls that `evidence` can name: docs/comply.md.
name: {name}
comply:
"""


def answers_template(name: str, spec: ComplySpec) -> str:
    """The YAML text; read again it says what the spec says."""
    return _HEAD.format(name=name) + "\n".join(_keys(spec, "  ")) + "\n"


def _keys(section: BaseModel, indent: str) -> Iterator[str]:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if key == "file":
            continue
        if isinstance(value, BaseModel):
            yield f"{indent}{key}:"
            yield from _keys(value, indent + "  ")
            continue
        shown = json.dumps(section.model_dump(mode="json")[key], ensure_ascii=False)
        yield f"{indent}# {field.description}"
        yield f"{indent}{key}: {shown}"
