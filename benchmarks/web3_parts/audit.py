"""Audits: the class of a flaw, its lines and its patch, on protocols that training never saw.

The findings are those of `examples/web3-audit.yaml`, of the tuned model and of what is measured beside it,
and the patches those of `examples/web3-patch.yaml`, which is told the class. A right finding is a flaw whose
class is named; its patch counts where the compiler takes it, what everyone may do is still possible, and the
exploit fails, which is run. The lines that a patch changes are those that it names: right where they are the
lines that were changed to make the flaw. Rules of slither and solhint stand beside, where these are named."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from bars import Bar
from finewright.run_reader import read_run
from finewright.sdk import JsonRow
from finewright_web3.audit.contracts import HOLE, protocols, scaffold
from finewright_web3.audit.rows import SOUND, AuditSettings, build_audits
from finewright_web3.audit.verdict import PatchVerdict, judge_patch
from finewright_web3.solidity import Function
from web3_parts import run_of
from web3_parts.audit_rules import RULES, find_by_slither, find_by_solhint

_LEAST_F1, _LEAST_PATCHED = 0.5, 0.3
_TUNED = "tuned"

Found = Sequence[frozenset[str]]
"""The classes that are named for each row."""


class Case(NamedTuple):
    """A row that was measured, and what each system answered to it."""

    kind: str
    flaw: tuple[str, str]
    fixed: Function
    shown: Function
    source: str
    check: str
    answers: Mapping[str, str]


def bars(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """The class by macro-F1, alone and beside slither's, and the share of right findings that are mended."""
    built = build_audits(AuditSettings())
    findings, patches = (
        read_cases(run_of(name, ["solidity-audit"], folder, options), rows)
        for name, rows in (("web3-audit", built.test), ("web3-patch", built.patches_test))
    )
    truth = [case.kind for case in findings]
    arms = {
        name: [frozenset({case.answers[name].strip()}) for case in findings]
        for name in findings[0].answers
    }
    scores = {name: show(name, truth, found, sorted(set(truth))) for name, found in arms.items()}
    on = f"{len(findings)} functions of {len(protocols('held_out'))} protocols held out"
    yield Bar("macro-F1 of the class", scores[_TUNED], _LEAST_F1, on=on)
    for tool, find in (("slither", find_by_slither), ("solhint", find_by_solhint)):
        if program := getattr(options, tool):
            known = sorted(set(RULES[tool].values()))
            rules = [find(program, case.source, case.shown, folder) for case in findings]
            theirs = show(tool, truth, rules, known)
            ours = show(f"{_TUNED} on what {tool} knows", truth, arms[_TUNED], known)
            yield Bar(f"macro-F1 less {tool}'s", ours - theirs, 0, on=f"{', '.join(known)}")
    yield from patch_bars(findings, patches)


def patch_bars(findings: Sequence[Case], patches: Sequence[Case]) -> Iterator[Bar]:
    """The share of right findings whose patch is good; on stderr every system, on all flaws too."""
    found = {case.flaw for case in findings if case.answers[_TUNED] == case.kind != SOUND}
    right = [case for case in patches if case.flaw in found]
    for system in patches[0].answers:
        for on, cases in (("all flaws", patches), ("right findings", right)):
            show_patches(f"{system}, {on}", system, cases)
    good = sum(judge_patch(case.answers[_TUNED], case.check).is_good for case in right)
    name = "right findings with a patch that stops the exploit"
    yield Bar(name, good / max(len(right), 1), _LEAST_PATCHED, on=f"{good} of {len(right)}")


def read_cases(run: Path, rows: Sequence[JsonRow]) -> list[Case]:
    """The rows with what every system of the run answered; ends where the run was measured on others."""
    said: dict[int, dict[str, str]] = {}
    for answer in read_run(run).answers():
        said.setdefault(answer["row"], {})[answer["system"]] = answer["answer"]
        row = rows[answer["row"] - 1] if answer["row"] <= len(rows) else {"messages": [{}]}
        if row["messages"][-1].get("content") != answer["expected"]:
            sys.exit(f"{run}: row {answer['row']} is not of this version's solidity-audit")
    return [_case(rows[number - 1], said[number]) for number in sorted(said)]


def _case(row: JsonRow, answers: Mapping[str, str]) -> Case:
    meta = row["meta"]
    protocol = protocols("held_out")[meta["protocol"]]
    flaws = {flaw.exploit: flaw for flaw in protocol.flaws}
    sound = {function.name: function for function in protocol.functions}
    flaw = flaws.get(meta["exploit"])
    fixed, shown = (flaw.fixed, flaw.flawed) if flaw else (sound[meta["function"]],) * 2
    source = scaffold(protocol, fixed, []).replace(HOLE, shown.code)
    place = (meta["protocol"], meta["exploit"])
    return Case(row["class"], place, fixed, shown, source, row.get("check", ""), answers)


def touched_lines(before: str, after: str) -> frozenset[int]:
    """The lines of the text that another one changes, or before which it puts something."""
    old, new = ([line.strip() for line in text.strip().splitlines()] for text in (before, after))
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return frozenset(
        line
        for tag, start, stop, _, _ in changes
        if tag != "equal"
        for line in range(start, max(stop, start + 1))
    )


def macro_f1(truth: Sequence[str], found: Found, classes: Iterable[str]) -> dict[str, float]:
    """F1 = 2 tp / (2 tp + fp + fn) of each class, where more than one may be named for a row."""
    scores = {}
    for kind in classes:
        pairs = [(of_row == kind, kind in said) for of_row, said in zip(truth, found, strict=True)]
        hits, size = sum(a and b for a, b in pairs), sum(a + b for a, b in pairs)
        scores[kind] = 2 * hits / size if size else 0.0
    return scores


def show(name: str, truth: Sequence[str], found: Found, classes: Sequence[str]) -> float:
    """The macro-F1, and on stderr a line with that of every class."""
    scores = macro_f1(truth, found, classes)
    told = ", ".join(f"{kind} {score:.2f}" for kind, score in scores.items())
    print(f"{name}: macro-F1 {fmean(scores.values()):.3f}; {told}", file=sys.stderr)
    return fmean(scores.values())


def show_patches(name: str, system: str, cases: Sequence[Case]) -> None:
    """On stderr how many patches compile, keep and stop, all of it, and change the right lines."""
    verdicts = [judge_patch(case.answers[system], case.check) for case in cases]
    counts = {part: sum(getattr(v, part) for v in verdicts) for part in PatchVerdict._fields}
    counts["is good"] = sum(verdict.is_good for verdict in verdicts)
    counts["right lines"] = sum(
        touched_lines(case.shown.code, case.answers[system])
        == touched_lines(case.shown.code, case.fixed.code)
        for case in cases
    )
    told = ", ".join(f"{part} {count}" for part, count in counts.items())
    print(f"{name}: {told}, of {len(cases)}", file=sys.stderr)
