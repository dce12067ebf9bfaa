"""What `check` and `plan` show: what is wrong, and what a run would do before it does it."""

import json
from collections.abc import Container, Iterator

from finewright.report.blocks import Block, Page, Quote, Table, Text, lines, section
from finewright.report.cells import count_of, row_counts, settings, share
from finewright.schema.methods import OnlineSettings
from finewright.schema.plan import CheckReport, PlannedCandidate, PlanReport, TokenView

_READ, _LEARNED = "·", "█"
_TEMPLATE = "chat template, here and wherever the run is asked"
_USABLE = "ok; `plan` counts tokens and reads the chat template too"


def check_page(report: CheckReport) -> Page:
    """Each problem, and whether the spec can be used."""
    verdict = _USABLE if report.passed else "not usable"
    sets = [f"measured on {each.line()}" for each in report.evaluation]
    return Page("a spec", report.name, verdict, about=sets, problems=report.problems)


def plan_page(report: PlanReport) -> Page:
    """What becomes of the rows, each candidate, and every default with its reason."""
    template = settings(report.chat_template)
    reasons = [(key, report.values[key], why) for key, why in report.reasons.items()]
    return Page(
        subject="a plan",
        title=report.name,
        answer=f"{row_counts(report.data)}; {report.rows_train} train, {report.rows_eval} held out",
        about=[*_list_measured_sets(report), *([f"{_TEMPLATE}: {template}"] if template else [])],
        problems=report.problems,
        sections=[
            *(
                part
                for i, planned in enumerate(report.candidates, 1)
                for part in (
                    *section(
                        f"{planned.base_model} ({_describe_size(planned.parameters)} parameters)",
                        *_candidate(planned, report.reasons),
                    ),
                    *section(
                        f"{planned.base_model}: all settings, more rows",
                        *_details(planned),
                        is_detail=True,
                    ),
                )
            ),
            *section(
                "Defaults and their reasons",
                Table(("key", "value", "reason"), reasons),
                is_detail=True,
            ),
        ],
    )


def _describe_size(parameters: int) -> str:
    millions = parameters / 1e6
    return f"{millions:.0f}M" if millions >= 1 else f"{parameters:,}"


def _list_measured_sets(report: PlanReport) -> Iterator[str]:
    yield from (f"measured on {each.line()}" for each in report.evaluation)
    if report.evaluation and report.max_new_tokens:
        yield (
            f"answers have up to {report.max_new_tokens} tokens; `up` says at its start how long training and"
            " measuring take"
        )
    if report.evaluation and report.systems:
        systems = count_of(len(report.systems), "system")
        yield f"each row is answered by {systems}: {', '.join(report.systems)} (evaluate.compare_with)"


def _candidate(planned: PlannedCandidate, defaults: Container[str]) -> Iterator[Block | None]:
    """What would be trained, the settings that are no defaults, and one row."""
    if planned.train.on_features:
        said = settings(planned.train.model_dump(mode="json"))
        yield lines(row_counts(planned.counts), "one convex fit, in seconds", f"settings: {said}")
        yield from planned.problems
        return
    learned = share(planned.trained_tokens / max(1, planned.tokens))
    own = {name: value for name, value in _own(planned).items() if f"train.{name}" not in defaults}
    adapter = {
        name: value
        for name, value in _adapter(planned).items()
        if name == "type" or f"train.adapter.{name}" not in defaults
    }
    yield lines(
        row_counts(planned.counts),
        f"tokens: {planned.tokens} a pass, {learned} learned; longest row {planned.longest},"
        f" median {planned.median}",
        f"steps: {planned.steps}, {planned.step_tokens} tokens in all",
        _describe_sampling(planned),
        f"privacy: {planned.privacy.line()}" if planned.privacy else "",
        f"set by the spec or the model: {settings(own)}" if own else "",
        f"adapter: {settings(adapter)}",
        *(f"slower than it could be: {path}" for path in planned.slow_paths),
    )
    yield from planned.problems
    if planned.preview:
        yield Text("Rows as the model sees them.", "page")
    yield from map(_tokens, planned.preview[:1])


def _details(planned: PlannedCandidate) -> Iterator[Block | None]:
    if planned.train.on_features:
        return  # all is shown before
    yield Text(f"settings: {settings(_own(planned))}\nadapter: {settings(_adapter(planned))}")
    yield from map(_tokens, planned.preview[1:])


def _own(planned: PlannedCandidate) -> dict[str, object]:
    return planned.train.model_dump(mode="json", exclude={"adapter", "privacy"})


def _adapter(planned: PlannedCandidate) -> dict[str, object]:
    same = None if planned.train.adapter.continues else {"continue"}
    return planned.train.adapter.model_dump(mode="json", exclude=same)


def _describe_sampling(planned: PlannedCandidate) -> str:
    """What an online method adds to its prompts."""
    train = planned.train
    if not isinstance(train, OnlineSettings):
        return ""
    prompts = train.batch_size * train.gradient_accumulation
    return (
        f"and the answers it samples: {prompts * train.num_generations} a step ({prompts} prompts"
        f" x {train.num_generations}), of at most {train.max_new_tokens} tokens"
    )


def _tokens(view: TokenView) -> Quote:
    """Each line of the row behind a mark: read only, or learned."""
    side = f", {view.side}," if view.side else ""
    learned = "scored" if view.side else "learned"
    marked = [
        f"{_LEARNED if fate == 'learned' else _READ} {json.dumps(line, ensure_ascii=False)[1:-1]}"
        for fate, text in view.pieces
        for line in text.splitlines(keepends=True)
    ]
    where = f"{view.file}:{view.row}{side} as the model sees it ({_LEARNED} {learned}, {_READ} read only)"
    return Quote(where, "\n".join(marked))
