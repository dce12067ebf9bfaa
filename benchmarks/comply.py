"""Is what `finewright comply` says of the law right, and does its dossier hold together?

    python benchmarks/comply.py --bars                            # seconds
    python benchmarks/comply.py --bars --trestle VENV/bin/python  # compliance-trestle reads the OSCAL

The 25 cases of `comply_cases.yaml` were written from the law before the rules were run on them. A case is
right where every status, day, fine and threshold in it is. The dossier is of a tiny model that is trained
here, under all regimes; links and digests are checked by code that shares nothing with what wrote them.
"""

import argparse
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bars import Bar, parser_of, run_parts
from finewright.feature import Session, ask_day
from finewright_trust.comply.assess import judge
from finewright_trust.comply.commands import comply
from finewright_trust.comply.compute import find_threshold
from finewright_trust.comply.controls import regimes
from finewright_trust.comply.options import ComplyOptions

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "packages"
sys.path[:0] = [str(PACKAGES / name / "tests") for name in ("finewright", "finewright-trust")]
from comply.dossiers import (  # type: ignore[import-not-found]  # noqa: E402 - of the tests
    broken_links,
    links,
    wrong_digests,
)

_FACTS = """\
name: tiny
comply:
  roles: [provider, deployer, modifier]
  regimes: [all]
  system: {uses: [recruitment], eu_market: true, profiles_people: true, eu_financial_entity: true,
    uk_bank: true, california: true, third_party_service: true, critical_function: true, agentic: true}
"""


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--trestle", help="the Python of an environment with compliance-trestle")
    return run_parts(parser, {"law": law, "rules": rules, "dossier": dossier})


def law(_: Path, __: argparse.Namespace) -> Iterator[Bar]:
    """The cases, each with what is wrong in it."""
    cases = yaml.safe_load((HERE / "comply_cases.yaml").read_text(encoding="utf-8"))
    wrong = {case["id"]: list(_mistakes(case)) for case in cases}
    for name, mistakes in wrong.items():
        for mistake in mistakes:
            print(f"{name}: {mistake}", file=sys.stderr)
    right = sum(not mistakes for mistakes in wrong.values())
    yield Bar("cases of law right", right, 24, on=f"{len(cases)} cases by roles and days")


def _mistakes(case: Mapping[str, Any]) -> Iterator[str]:
    facts = {**case["facts"], "roles": case["roles"]}
    states = {each.id: each for each in judge(regimes()["eu-ai-act"], facts, case["day"])}
    for rule, expected in case["expect"].items():
        wanted = "no" if expected is False else expected  # YAML reads `no` as false
        if states[rule].status != wanted:
            yield f"{rule} is {states[rule].status}, not {wanted}"
    for rule, day in case.get("from", {}).items():
        if states[rule].start != day:
            yield f"{rule} is in force from {states[rule].start}, not {day}"
    for rule, most in case.get("fine", {}).items():
        if states[rule].fine_eur != most:
            yield f"{rule} costs {states[rule].fine_eur}, not {most}"
    found = find_threshold(facts)[0]
    if "threshold" in case and not math.isclose(found or 0, case["threshold"], rel_tol=1e-6):
        yield f"the threshold is {found}, not {case['threshold']}"


def rules(_: Path, __: argparse.Namespace) -> Iterator[Bar]:
    """How many there are, and those that nothing answers or nobody dated."""
    found = {name: regime.controls for name, regime in regimes().items() if regime.controls}
    controls = [control for each in found.values() for control in each]
    yield Bar("controls", len(controls), 150)
    yield Bar("regimes", len(found), 6)
    bare = [each.id for each in controls if not each.evidence]
    yield Bar("controls without a query or `human`", len(bare), 0, at_most=True)


def dossier(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Of a tiny run, under all regimes."""
    import tiny_run  # type: ignore[import-not-found]

    run = tiny_run.trained(folder, "{type: lora, r: 4}")
    answers = folder / "answers.yaml"
    answers.write_text(_FACTS, encoding="utf-8")
    session = Session(ask_day(), tiny_run.nothing, tiny_run.nothing, str)
    comply(ComplyOptions(run=run, answers=answers), session)
    made = run / "comply"
    on = f"{len(list(links(made)))} links"
    yield Bar("links that open nothing", len(broken_links(made)), 0, at_most=True, on=on)
    wrong = wrong_digests(made)
    yield Bar("digests that do not hold", len(wrong), 0, at_most=True)
    if options.trestle:
        check = PACKAGES / "finewright-trust" / "tests" / "comply" / "trestle_check.py"
        command = [options.trestle, str(check), str(made / "oscal.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stderr, file=sys.stderr, end="")
        accepted = done.returncode == 0
        yield Bar("OSCAL accepted by compliance-trestle", accepted, 1, on=f"{done.stdout} controls")


if __name__ == "__main__":
    sys.exit(main())
