"""`finewright serve` as it is typed: what it asks for is read, and refused, before torch is imported, which
takes seconds."""

from pathlib import Path

from pydantic import ValidationError

from finewright.errors import DataError
from finewright.feature import Session
from finewright.schema.load_section import load_section
from finewright_serve.gateway.keys import make_key
from finewright_serve.keys_command import KEYS
from finewright_serve.options import ServeOptions
from finewright_serve.spec import ServedTarget, ServeSpec


def serve(options: ServeOptions, session: Session) -> str:
    """Serve until a signal comes; with `new_key`, make a key instead, the line that is returned."""
    spec, root = spec_of_options(options)
    if options.new_key or options.project:
        return _new_key(options, root / spec.folder / KEYS, session)
    if not spec.models:
        raise DataError("nothing to serve", hint="name a run or a base model")
    from finewright_serve.run import serve as serve_spec

    serve_spec(spec, root, session)
    return ""


def spec_of_options(options: ServeOptions) -> tuple[ServeSpec, Path]:
    """The section, with what the command line says over it, and the folder that its paths start from."""
    spec, root = ServeSpec(), Path()
    if options.spec is not None or options.overrides:
        spec = load_section("serve", ServeSpec, options.spec, options.overrides).spec
        root = options.spec.parent if options.spec else root
    if options.draft_model and not options.targets:
        raise DataError(
            "--draft-model is of models that the command line names",
            hint="in a spec it is serve.models: [{target: ..., draft_model: ...}]",
        )
    given = {"host": options.host or None, "port": options.port}
    said: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    draft = {"draft_model": options.draft_model} if options.draft_model else {}
    try:
        if options.targets:
            said["models"] = [ServedTarget(target=each, **draft) for each in options.targets]
        return ServeSpec.model_validate(spec.model_dump(exclude_unset=True) | said), root
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(first["msg"].removeprefix("Value error, ")) from None


def _new_key(options: ServeOptions, keys: Path, session: Session) -> str:
    """A key, as the line that is returned."""
    if not options.new_key:
        raise DataError("--project is of a key that is made", hint="--new-key user --project NAME")
    key = make_key(keys, options.new_key, session.today.isoformat(), options.project)
    session.tell(f"API key of role {options.new_key}, shown once; {keys} has its digest:\n")
    return key + "\n"
