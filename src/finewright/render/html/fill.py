"""Templates filled into whole pages, in one way for all: escaped, strict, with no style but their own."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from finewright import __version__
from finewright.render.html.text import visible


def filled(
    template: str,
    styles: Sequence[str],
    values: Mapping[str, Any],  # Any: a template may show whatever there is
    filters: Mapping[str, Callable[..., object]] | None = None,
) -> str:
    """The page as HTML. Every text is escaped; a name that the template does not find is an error.

    `style_digest` is for the page's content security policy, which allows these styles and nothing else."""
    environment = Environment(
        loader=_loader(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, **(filters or {})}
    style = "".join(environment.get_template(name).render() for name in styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(
        **values,
        style=Markup(style),  # noqa: S704 - our own files
        style_digest=digest,
        version=__version__,
    )


@cache
def _loader() -> PackageLoader:
    return PackageLoader("finewright.render.html")
