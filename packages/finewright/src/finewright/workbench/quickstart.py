"""`quickstart`: real data of one task, a model for it, measured beside what is simpler, ready to serve."""

import json
import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finewright import plugins
from finewright.data.sets.build import build_set
from finewright.feature import Session, features, missing_needs
from finewright.lm.runtime import require_runtime
from finewright.schema.evaluate import BASE, LINEAR, TUNED
from finewright.schema.load import load_spec
from finewright.schema.report import QuickstartReport, ReplayedAnswer, RunReport
from finewright.schema.rows import content_of, parse_rows
from finewright.store.atomic import os_errors, write_text
from finewright.store.rundir import RunDir, open_run
from finewright.table import require_package, run_command
from finewright.workbench.up import up

BASE_MODEL = "smollm2-135m-instruct"
NUM_SHOWN = 5

_HEAD = """\
# {title}
# Written by `finewright quickstart --task {task}`; edit it, then: finewright {again} {path}
version: 1
name: {task}
"""
_INTENTS = """\
base_models: [words+minilm]  # a linear model on words and on vectors of their meaning: docs/decisions.md
data:
  sources:
    - {{path: {task}/train.jsonl, license: CC-BY-4.0, owner: PolyAI}}
train:
  method: linear
  decisions: {{coverage: 0.9, cost_wrong: 4, cost_ask: 1}}  # unsure below 75 %
evaluate:
  data:
    - {{path: {task}/test.jsonl, name: held-out}}
  compare_with: [linear]  # the bag of words
"""
_EXTRACT = """\
base_models: [{base_model}]
data:
  sources:
    - {{path: {task}/train.jsonl, license: CC-BY-4.0, owner: PolyAI}}
train:
  method: sft
  adapter: {{type: lora, r: 16, alpha: 32, target_modules: all-linear}}
  learning_rate: 2.0e-3
  batch_size: 8
  max_length: 256
  epochs: 4  # fewer where the minutes do not suffice
  minutes: {minutes:g}
evaluate:
  data:
    - {{path: {task}/test.jsonl, name: held-out}}
  metrics: [valid_json, json_f1, exact_match]
  max_new_tokens: 64
  batch_size: 32
"""
_ANSWERS = """\
rag:  # docs/rag.md
  documents: [{task}/documents.jsonl]
  index: {task}/index.sqlite
  embedder: wordllama
  questions: {task}/train.jsonl  # every second one tunes, the others measure
"""
_ANSWERS_SERVED = """\
# Answers from the articles that `finewright rag index` has read: docs/documents.md
name: answers
serve:
  models:
    - target: smollm2-135m-instruct
      id: answers
      documents: {index: answers.yaml, unproved: abstain}
"""
_TRANSACTIONS = """\
base_models: [{base_model}]
data:
  sources:
    - {{path: {task}/train.jsonl, license: CC0-1.0, owner: ERC-7730 clear-signing registry}}
train:
  method: sft
  adapter: {{type: lora, r: 16, alpha: 32, target_modules: all-linear}}
  learning_rate: 2.0e-3
  batch_size: 4
  max_length: 512
  epochs: 4  # more are no use; fewer where the minutes do not suffice
  minutes: {minutes:g}
evaluate:
  data:
    - {{path: {task}/test_seen.jsonl, name: functions seen, limit: 60}}
    - {{path: {task}/test_unseen.jsonl, name: functions never seen}}
    - {{path: {task}/test_unseen_protocols.jsonl, name: protocols never seen}}
  metrics: [valid_json, "json_field:intent", json_f1, exact_match]
  max_new_tokens: 128
  batch_size: 32
"""
_COMPLY = """\
comply:  # writes a dossier into the run folder: docs/comply.md
  roles: [provider, modifier]
  regimes: [eu-ai-act]
  texts: {{intended_purpose: "{purpose}"}}
"""
_RELEASE = """\
release:  # ends with a signed bundle in the run folder: docs/prove.md
  intended_use: "{purpose}"
  rules: {{{untried}}}  # what is null takes minutes more
"""
_PROOF = {"comply": _COMPLY, "release": _RELEASE}
"""Features that prove what the run did -> their keys of the spec."""
_ATTACKS = ("forgetting", "redteam", "memorisation", "backdoor", "poison")
"""Rules of a release that take `redteam` in the spec, and `data.poison`."""


@dataclass(frozen=True, slots=True)
class FirstTask:
    """What is learned from which data set; `example` is asked when it is served, else a held-out row."""

    title: str
    data_set: str
    spec: str
    example: str = ""
    needs: str = ""
    """The feature that it is a use of, where that is no run."""
    purpose: str = ""
    """What its dossier and bundle say that it is for; empty where it makes none."""
    untried: tuple[str, ...] = _ATTACKS


TASKS: Mapping[str, FirstTask] = {
    "intents": FirstTask(
        "What a customer of a bank wants: one of 77 intents, with a probability.",
        "bank-intents",
        _INTENTS,
        "My card has not come yet",
        purpose="To say what a customer of a bank wants",
        untried=("poison",),
    ),
    "extract": FirstTask(
        "The dates, amounts and names in a customer's message, as JSON.",
        "bank-details",
        _EXTRACT,
        purpose="To find the details in a message of a bank's customer",
    ),
    "answers": FirstTask(
        "Questions on a bank's fees and limits, answered from its 698 articles.",
        "bank-facts",
        _ANSWERS,
        "What is the annual fee of the Gold Rewards Card?",
        needs="rag",
    ),
    "transactions": FirstTask(
        "From a contract call to the words its protocol uses for it.",
        "erc7730",
        _TRANSACTIONS,
        purpose="To say what a call of a contract does, in the words of its protocol",
    ),
}


def quickstart(
    name: str, folder: Path, runs_root: Path, *, minutes: float, session: Session
) -> QuickstartReport:
    """Fetch the data, write a spec that trains for about `minutes`, run it, and show what it gained.

    A spec that is already in `folder` is used as it is, so a second call resumes or skips. Raises
    MissingExtra where the task needs a package that is not installed."""
    task = TASKS[name]
    if task.needs:
        require_package(task.needs)
    else:
        require_runtime()
    session.on_event("fetching", {"what": f"the data set {task.data_set}"})
    build_set(task.data_set, folder / name)
    path = folder / f"{name}.yaml"
    if not path.is_file():
        write_text(path, spec_text(name, path, minutes))
    return (_search if task.needs else _train)(name, path, runs_root, session)


def spec_text(name: str, path: Path, minutes: float) -> str:
    """The spec of the task; what proves a run is in it as far as its packages are installed."""
    task, again = TASKS[name], "rag index" if TASKS[name].needs else "up"
    facts = {"task": name, "title": task.title, "path": path, "again": again}
    untried = ", ".join(f"{rule}: null" for rule in task.untried)
    proof = [text for each, text in _PROOF.items() if task.purpose and _can(each)]
    return "".join([_HEAD, task.spec, *proof]).format(
        base_model=BASE_MODEL, minutes=minutes, purpose=task.purpose, untried=untried, **facts
    )


def _train(name: str, path: Path, runs_root: Path, session: Session) -> QuickstartReport:
    return report_of_run(name, up(load_spec(path), runs_root, on_event=session.on_event))


def report_of_run(name: str, report: RunReport) -> QuickstartReport:
    """What the quickstart shows of a run of that task which is measured."""
    run = open_run(Path(report.summary.run))
    answers = _answers(run)
    before = BASE if BASE in answers else LINEAR
    return QuickstartReport(
        task=name,
        measured=report,
        compared_with=before,
        answers=replay(answers[before], answers[TUNED], NUM_SHOWN),
        commands=_next(name, run),
    )


def _search(name: str, path: Path, runs_root: Path, session: Session) -> QuickstartReport:
    spec, served = str(path), path.with_name("serve.yaml")
    if not served.is_file():
        write_text(served, _ANSWERS_SERVED)
    run_command("rag index", {"targets": (spec,)}, session)
    found = run_command("rag evaluate", {"target": spec}, session)
    question = TASKS[name].example
    body = {"model": name, "messages": [{"role": "user", "content": question}]}
    commands = (
        f"finewright rag search {spec} {shlex.quote(question)}",
        *_serve(f"--spec {served}", "chat/completions", body),
    )
    return QuickstartReport(task=name, measured=found, commands=commands)


def _next(name: str, run: RunDir) -> tuple[str, ...]:
    """What serves the run and asks it, uses it on a file, shows it and proves it."""
    folder, spec = run.root, load_spec(run.root / "spec.yaml").spec
    model = f"{spec.base_models[0]}:{folder.name}"
    bundle = folder / "release" / "bundle"
    held_out = sorted((folder / "data" / "evaluate").glob("*.jsonl"))[0]
    if spec.train.decides:
        served = _serve(str(folder), "decisions", {"model": model, "input": [TASKS[name].example]})
    else:
        turns = parse_rows(held_out.read_text(encoding="utf-8"))[0].prompt
        messages = [{"role": turn["role"], "content": content_of(turn)} for turn in turns]
        served = _serve(str(folder), "chat/completions", {"model": model, "messages": messages})
    return (
        *served,
        f"finewright predict {folder} {shlex.quote(str(held_out))} --out answers.jsonl",
        f"finewright runs show {folder} --html card.html",
        f"finewright verify {bundle if bundle.is_dir() else folder}",
    )


def _serve(what: str, route: str, body: Mapping[str, object]) -> tuple[str, ...]:
    """The lines that serve and ask; first the one that installs the server where it is not."""
    missing = plugins.not_installed("feature").get("serve")
    return (
        *([missing] if missing else ()),
        "KEY=$(finewright serve --new-key user)",
        f"finewright serve {what} &",
        f'curl -s http://127.0.0.1:8000/v1/{route} -H "Authorization: Bearer $KEY"'
        f' -H "Content-Type: application/json" -d {shlex.quote(json.dumps(body))}',
    )


def _can(feature: str) -> bool:
    """Whether its package is here, and what it needs."""
    return feature in features() and not missing_needs(features()[feature])


Samples = Mapping[tuple[str, int], Mapping[str, Any]]  # Any: free JSON
"""(row set, row) -> the sample."""


def replay(before: Samples, after: Samples, count: int) -> tuple[ReplayedAnswer, ...]:
    """`count` held-out questions answered by both systems, from every row set in turn: those that the second
    alone answers right come first, and the last one shown is one that it answers wrong, if there is any."""

    def is_right(samples: Samples, key: tuple[str, int]) -> bool:
        return bool(samples[key]["answer"].strip() == samples[key]["expected"].strip())

    by_set: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for key in sorted(after, key=lambda key: is_right(before, key) or not is_right(after, key)):
        by_set[key[0]].append(key)
    turns = [keys[i] for i in range(count) for keys in by_set.values() if i < len(keys)][:count]
    wrong = [key for key in after if not is_right(after, key)]
    if wrong and all(is_right(after, key) for key in turns):
        turns[-1] = wrong[0]
    return tuple(
        ReplayedAnswer(
            data=key[0],
            question=after[key]["prompt"],
            expected=after[key]["expected"],
            before=before[key]["answer"],
            after=after[key]["answer"],
        )
        for key in turns
    )


def _answers(run: RunDir) -> dict[str, dict[tuple[str, int], dict[str, Any]]]:
    """System -> its samples."""
    samples = run.root / "evaluate" / "samples.jsonl"
    with os_errors(samples):
        text = samples.read_text(encoding="utf-8")
    found: dict[str, dict[tuple[str, int], dict[str, Any]]] = defaultdict(dict)
    for sample in map(json.loads, filter(None, text.split("\n"))):
        found[sample["system"]][sample["data"], sample["row"]] = sample
    return found
