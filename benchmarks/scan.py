"""Does `finewright scan` find models that mean harm, run none of them, and pass those that do not?

    python benchmarks/scan.py --bars                                    # a minute
    python benchmarks/scan.py --beside picklescan=VENV/bin/picklescan   # and what other scanners find

Cases are made here: pickles by many ways and under many names, headers that lie, code, links, templates that
reach out or that add an instruction for some word, length, turn or day. The published templates of TRL must
pass. `--beside` runs picklescan, modelscan, modelaudit or fickling, each from an environment of its own, on
the same folders; each of them exits with 1 where it found something, and any other code but 0 says that it
could not read the case.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from bars import Bar, finish, parser_of

PACKAGES = Path(__file__).parents[1] / "packages"
sys.path.insert(0, str(PACKAGES / "finewright-trust" / "tests"))
from scan.artefacts import (  # type: ignore[import-not-found]  # noqa: E402 - of the tests
    BACKDOORS,
    BAD,
    HARMLESS,
    HEADERS,
    INJECTIONS,
    PICKLES,
    PLACES,
    Maker,
    template,
)

KINDS = {
    "pickles": PICKLES,
    "headers": HEADERS,
    "code, links, places": PLACES,
    "template injections": INJECTIONS,
}
COMMANDS = {
    "picklescan": ("-p", "{}"),
    "modelscan": ("-p", "{}"),
    "modelaudit": ("scan", "{}"),
    "fickling": ("--check-safety", "{}/pytorch_model.bin"),
}


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--small", action="store_true", help="three cases of a kind")
    parser.add_argument("--beside", action="append", default=[], metavar="NAME=PROGRAM")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return finish([*bars(Path(folder), options), *beside(Path(folder), options)], options)


def bars(folder: Path, options: argparse.Namespace) -> list[Bar]:
    few = 3 if options.small else None
    kinds = {name: dict(list(cases.items())[:few]) for name, cases in KINDS.items()}
    found = []
    for kind, cases in kinds.items():
        share = share_refused(folder / kind, cases)
        found.append(Bar(f"{kind}, {len(cases)}: refused", share, 1.0))
    behaviours = dict(list(BACKDOORS.items())[:few])
    share = share_refused(folder / "backdoors", behaviours)
    found.append(Bar(f"template backdoors, {len(behaviours)}: refused", share, 0.95))
    ran = len(list(folder.rglob("RAN")))
    found.append(Bar("artefacts of which something ran", ran, 0, at_most=True))
    harmless = share_refused(folder / "harmless", dict(list(HARMLESS.items())[:few]))
    found.append(Bar("harmless models: refused", harmless, 0.0, at_most=True))
    official = dict(list(published().items())[:few])
    share = share_refused(folder / "official", official)
    return [*found, Bar(f"published templates, {len(official)}: refused", share, 0.0, at_most=True)]


def published() -> dict[str, Maker]:
    """The templates that TRL and the tests of finewright's families hold."""
    folders = [PACKAGES / "finewright" / "tests" / "families" / "templates"]
    trl = find_spec("trl")
    if trl is not None and trl.origin:
        folders.append(Path(trl.origin).parent / "chat_templates")
    paths = [path for each in folders for path in sorted(each.glob("*.jinja"))]
    return {path.stem: template(path.read_text(encoding="utf-8")) for path in paths}


def share_refused(folder: Path, cases: Mapping[str, Maker]) -> float:
    from finewright_trust.scan.folder import scan_folder

    refused = 0
    for number, (name, make) in enumerate(cases.items()):
        place = (
            folder / str(number) / name.partition("/")[0] / "m"
            if "/" in name
            else folder / str(number)
        )
        make(place)
        is_refused = any(each.level == "error" for each in scan_folder(place).problems)
        refused += is_refused
    return refused / len(cases)


def beside(folder: Path, options: argparse.Namespace) -> list[Bar]:
    """What another scanner refuses of the bad ones and of the harmless, without a bar."""
    found: list[Bar] = []
    for given in options.beside:
        name, _, program = given.partition("=")
        for kind, cases in (
            ("bad", BAD),
            ("template backdoors", BACKDOORS),
            ("harmless", HARMLESS),
        ):
            refused = unread = 0
            for number, make in enumerate(cases.values()):
                place = folder / name / kind / str(number) / "snapshots" / "m"
                make(place)
                if name == "fickling" and not (place / "pytorch_model.bin").is_file():
                    unread += 1  # it takes a pickle, no folder
                    continue
                arguments = [each.format(place) for each in COMMANDS[name]]
                done = subprocess.run(
                    [program, *arguments], capture_output=True, check=False, timeout=120
                )
                refused += done.returncode == 1
                unread += done.returncode not in {0, 1}
            print(f"{name}: refuses {refused} of {len(cases)} {kind}, cannot read {unread}")
    return found


if __name__ == "__main__":
    sys.exit(main())
