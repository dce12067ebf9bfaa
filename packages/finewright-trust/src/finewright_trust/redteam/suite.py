"""The suite: which attacks apply, one after the other, and the report of them all."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from finewright import plugins
from finewright.errors import DataError, StoreError
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright_trust.redteam.attack import Attack, NotApplicable
from finewright_trust.redteam.finding import (
    BASE,
    TUNED,
    AttackFinding,
    AttackRun,
    FindingMend,
    RedteamReport,
    worst_first,
)
from finewright_trust.redteam.spec import RedteamSpec

if TYPE_CHECKING:
    from finewright_trust.redteam.subject import OnProgress, RunSubject, Subject


def read_attacks(names: Sequence[str]) -> list[Attack]:
    """The attacks of these names, or all. Raises UnknownPlugin."""
    return [plugins.resolve("attack", name) for name in names or plugins.list_names("attack")]


def attack_all(subject: "Subject", spec: RedteamSpec, on_progress: "OnProgress") -> RedteamReport:
    """Every attack of the spec that applies; one that does not is in the report with the reason.

    Raises DataError where an attack was named that cannot be tried on such a subject."""
    attacks = read_attacks(spec.attacks)
    findings: list[AttackFinding] = []
    ran: list[AttackRun] = []
    for number, attack in enumerate(attacks):
        on_progress(attack.name, number, len(attacks))
        started = perf_counter()
        reason, found = _try_one(attack, subject, spec)
        findings += found
        seconds = round(perf_counter() - started, 1)
        ran.append(
            AttackRun(name=attack.name, seconds=seconds, findings=len(found), skipped=reason)
        )
    on_progress("attacks", len(attacks), len(attacks))
    if spec.attacks and not findings:
        raise DataError("\n".join(f"{each.name}: {each.skipped}" for each in ran if each.skipped))
    return RedteamReport(
        subject=subject.name,
        systems=subject.systems,
        seed=spec.seed,
        confidence=spec.confidence,
        fail_at=spec.fail_at,
        attacks=tuple(ran),
        findings=worst_first([_with_command(each, subject, spec) for each in findings]),
    )


def open_subject(
    target: str, base_model: str, on_progress: "OnProgress", prefix: str = ""
) -> "RunSubject":
    """A run with its model loaded; `prefix` stands before the names of its systems.

    Raises StoreError for what is no run, or was not trained yet."""
    from finewright.workbench.systems import candidate_of, load_talker
    from finewright_trust.redteam.subject import RunSubject

    run = open_run(Path(target))
    if not run.report_path("train").is_file():
        raise StoreError(
            f"{target}: the stage train is not done, so there is no model to attack",
            hint=f"finewright up {target} goes on with it",
        )
    model = load_talker(target, base_model=base_model)
    return RunSubject(
        run=run,
        candidate=candidate_of(run, base_model),
        model=model,
        system_prompt=model.system_prompt,
        spec=lock_of(run).spec,
        on_progress=on_progress,
        name=target,
        options={"base-model": base_model} if base_model else {},
        systems=(f"{prefix}{BASE}", f"{prefix}{TUNED}"),
    )


def _try_one(
    attack: Attack, subject: "Subject", spec: RedteamSpec
) -> tuple[str, Sequence[AttackFinding]]:
    """Why it does not apply, or what it found."""
    if subject.kind not in attack.kinds:
        kinds = " or a ".join(sorted(attack.kinds))
        return f"is for a {kinds}, and not for a{_n(subject.kind)}", ()
    try:
        return "", attack.run(subject, spec)
    except NotApplicable as error:
        return str(error), ()


def _n(word: str) -> str:
    return f"n {word}" if word[0] in "aeiou" else f" {word}"


def _with_command(found: AttackFinding, subject: "Subject", spec: RedteamSpec) -> AttackFinding:
    settings = {
        "attack": found.attack,
        "seed": spec.seed,
        "prompts": spec.prompts,
        "max-prompt-tokens": spec.max_prompt_tokens,
        "max-new-tokens": spec.max_new_tokens,
        **subject.options,
    }
    command = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in settings.items())
    mends = tuple(_of_subject(mend, subject) for mend in found.mends)
    again = f"finewright redteam {shlex.quote(subject.name)} {command}"
    return found.model_copy(update={"again": again, "mends": mends})


def _of_subject(mend: FindingMend, subject: "Subject") -> FindingMend:
    """The mend with the run in its command; none of an address, which is not the server's to give."""
    is_run = subject.kind == "run"
    command = mend.command.replace("RUN", shlex.quote(subject.name)) if is_run else ""
    return mend.model_copy(update={"command": command})
