"""`finewright push`, `pull` and `alias`: the one call that each is."""

from pydantic import BaseModel

from finewright.feature import Session
from finewright_bridge.places.options import (
    ListAliasesOptions,
    PullOptions,
    PushOptions,
    SetAliasOptions,
)


def push(options: PushOptions, session: Session) -> BaseModel:
    """What was uploaded, or would be."""
    from finewright_bridge.places.push import push as run

    return run(options.run, options.to, tell=session.tell, is_dry=options.dry_run)


def pull(options: PullOptions, session: Session) -> BaseModel:
    """What was fetched, and where it lies."""
    from finewright_bridge.places.push import pull as run

    return run(options.address, options.runs)


def set_alias(options: SetAliasOptions, session: Session) -> BaseModel:
    """What the alias means by now."""
    from finewright_bridge.places.alias import set_alias as run

    return run(options.alias, options.run, options.runs, at=options.at)


def list_aliases(options: ListAliasesOptions, session: Session) -> BaseModel:
    """All aliases with their history."""
    from finewright_bridge.places.alias import list_aliases as run

    return run(options.runs, at=options.at)
