"""`finewright data poison`: the one call that it is."""

from pydantic import BaseModel

from finewright.feature import Session
from finewright_trust.options import PoisonOptions


def poison(options: PoisonOptions, session: Session) -> BaseModel:
    """Rows that may plant a behaviour."""
    from finewright.schema.poison import PoisonSpec
    from finewright.workbench.outputs import check_outputs
    from finewright_trust.part_rows import scan

    def tell(done: int, total: int) -> None:
        session.on_event("weighing", {"done": done, "total": total})

    check_outputs([options.out, options.quarantine], [options.path])
    session.on_event("poison_search", {"model": options.base_model or "no model"})
    return scan(
        options.path,
        models=PoisonSpec(base_model=options.base_model, embedder=options.embedder),
        out_clean=options.out,
        out_quarantine=options.quarantine,
        options=options.read_options(),
        on_progress=tell,
    )
