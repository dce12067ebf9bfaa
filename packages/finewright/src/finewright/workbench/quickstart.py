"""`quickstart`: a real fine-tune of a real model on real data, measured before and after."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from finewright.data.sets.build import build_set
from finewright.feature import features, missing_needs
from finewright.schema.load import load_spec
from finewright.schema.report import QuickstartReport, ReplayedAnswer
from finewright.store.atomic import os_errors, write_text
from finewright.store.rundir import RunDir, open_run
from finewright.workbench.up import OnEvent, up

BASE_MODEL = "smollm2-135m-instruct"
NUM_SHOWN = 5

_SPEC = """\
# The transaction analyst: from a contract call to the words its protocol uses for it.
# Written by `finewright quickstart`; edit it, then `finewright up {path}`.
version: 1
name: quickstart
base_models: [{base_model}]
data:
  sources:
    - {{path: train.jsonl, license: CC0-1.0, owner: ERC-7730 clear-signing registry}}
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
    - {{path: test_seen.jsonl, name: functions seen, limit: 60}}
    - {{path: test_unseen.jsonl, name: functions never seen}}
    - {{path: test_unseen_protocols.jsonl, name: protocols never seen}}
  metrics: [valid_json, "json_field:intent", json_f1, exact_match]
  max_new_tokens: 128
  batch_size: 32
"""
_COMPLY = """\
comply:  # writes a dossier into the run folder: docs/comply.md
  roles: [provider, modifier]
  regimes: [eu-ai-act]
  texts: {intended_purpose: "To say what a call of a contract does, in the words of its protocol"}
"""
_RELEASE = """\
release:  # ends with a signed bundle in the run folder: docs/prove.md
  intended_use: To say what a call of a contract does, in the words of its protocol
  rules:  # what `null` takes out needs minutes more: `redteam` in the spec, and `data.poison`
    forgetting: null
    redteam: null
    memorisation: null
    backdoor: null
    poison: null
"""
_PROOF = {"comply": _COMPLY, "release": _RELEASE}
"""Features that prove what the run did -> their keys of the spec."""


def quickstart(
    folder: Path, runs_root: Path, *, minutes: float, on_event: OnEvent
) -> QuickstartReport:
    """Fetch data and model, write a spec that trains for about `minutes`, run it, and show the gain.

    A spec that is already in `folder` is used as it is, so a second call resumes or skips."""
    on_event("fetching", {"what": "the ERC-7730 registry"})
    build_set("erc7730", folder)
    path = folder / "quickstart.yaml"
    if not path.is_file():
        on_event("fetching", {"what": f"the model {BASE_MODEL}"})
        spec = _SPEC.format(path=path, base_model=BASE_MODEL, minutes=minutes)
        write_text(path, "".join([spec, *(text for name, text in _PROOF.items() if _can(name))]))
    report = up(load_spec(path), runs_root, on_event=on_event)
    return QuickstartReport(
        run=report, answers=replay(open_run(Path(report.summary.run)), NUM_SHOWN)
    )


def _can(feature: str) -> bool:
    """Whether its package is here, and what it needs."""
    return feature in features() and not missing_needs(features()[feature])


def replay(run: RunDir, count: int) -> tuple[ReplayedAnswer, ...]:
    """`count` held-out questions with the answers of base and tuned model, from every row set in turn."""
    answers = _answers(run)
    before, after = answers["base"], answers["tuned"]
    by_set: dict[str, list[tuple[str, int]]] = {}
    for key in after:
        by_set.setdefault(key[0], []).append(key)
    turns = [keys[i] for i in range(count) for keys in by_set.values() if i < len(keys)]
    return tuple(
        ReplayedAnswer(
            data=key[0],
            question=after[key]["prompt"],
            expected=after[key]["expected"],
            before=before[key]["answer"],
            after=after[key]["answer"],
        )
        for key in turns[:count]
    )


def _answers(run: RunDir) -> dict[str, dict[tuple[str, int], dict[str, Any]]]:  # Any: free JSON
    """System -> (row set, row) -> the sample."""
    samples = run.root / "evaluate" / "samples.jsonl"
    with os_errors(samples):
        text = samples.read_text(encoding="utf-8")
    found: dict[str, dict[tuple[str, int], dict[str, Any]]] = defaultdict(dict)
    for sample in map(json.loads, filter(None, text.split("\n"))):
        found[sample["system"]][sample["data"], sample["row"]] = sample
    return found
