"""The `bakeoff` section of the spec: how base models compete on the same rows with the same budget."""

from finewright.schema.common import Model, default


class BakeoffSpec(Model):
    """How the models of `base_models` compete: which metric decides, and how many rungs there are."""

    metric: str = default(
        "", "The metric that decides, one of evaluate.metrics", "the first of evaluate.metrics"
    )
    backends: tuple[str, ...] = default(
        (),
        "Who trains each model, such as [finewright, trl]: frameworks compete on the same rows",
        "train.backend trains all of them",
    )
    eta: int = default(
        2,
        "From rung to rung the training grows so many times, and one in so many models is sure to go on",
        "the gentlest halving",
        ge=2,
        le=16,
    )
    rungs: int | None = default(
        None,
        "Rungs of the ladder; the last one trains as `train` says",
        "so many that two models reach the last one: with two or three models there is one rung",
        ge=1,
        le=10,
    )
    development_rows: int | None = default(
        None,
        "Judge a rung on so many of the rows that data.eval_fraction holds out, sampled by evaluate.seed",
        "all of them",
        gt=0,
    )
    timed_answers: int = default(
        20,
        "Held-out questions that each finalist answers one by one, timed",
        "a minute or two",
        gt=0,
    )
