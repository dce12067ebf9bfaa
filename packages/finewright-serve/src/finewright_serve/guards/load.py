"""The guards of a spec, made."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from finewright import plugins
from finewright.errors import DataError, FinewrightError
from finewright.schema.aliases import close_choice
from finewright.schema.explain import explain
from finewright_serve.guards.guard import Guard, GuardFolder, GuardPlugin
from finewright_serve.guards.spec import GuardSpec


def load_guards(specs: Sequence[GuardSpec], root: Path) -> list[tuple[GuardSpec, Guard]]:
    """Each guard with its spec. Raises DataError that names the place, for an action that a guard does not
    have, settings that it does not take, and whatever it needs and has not."""
    return [(spec, _made(spec, number, root)) for number, spec in enumerate(specs)]


def _made(spec: GuardSpec, number: int, root: Path) -> Guard:
    where = f"serve.guards.{number}"
    plugin: GuardPlugin = plugins.resolve("guard", spec.guard)
    for side in ("input", "untrusted", "output"):
        action, can = getattr(spec, side), plugin.actions.get(side, frozenset())
        if action != "off" and action not in can:
            does = ", ".join(sorted(can)) or "nothing"
            what = f"{where}.{side}: the guard {spec.guard} cannot {action} there"
            raise DataError(what, hint=f"there it can: {does}")
    try:
        settings = plugin.settings.model_validate(spec.settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([f"{where}.settings", *map(str, first["loc"])])
        if first["type"] == "extra_forbidden":
            near = close_choice(str(first["loc"][-1]), [*plugin.settings.model_fields])
            raise DataError(f"{place}: unknown key{near}") from None
        raise DataError(f"{place}: {explain(first['loc'], [first], None)}") from None
    try:
        return plugin.make(settings, GuardFolder(root))
    except FinewrightError as error:
        raise type(error)(f"{where}: {error}", hint=error.hint) from None
