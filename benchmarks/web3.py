"""Whether models of contracts keep the bars, each judged by what runs.

    python benchmarks/web3.py --bars                            # every part; exit 1 where a bar is missed
    python benchmarks/web3.py --bars --part audit --slither .venv-slither/bin/slither
    python benchmarks/web3.py --part audit --runs web3-audit=runs/A web3-patch=runs/B

Each part trains the examples that it names, unless `--runs` names finished runs of them. `--slither` names
slither-analyzer of another environment, whose rules are shown beside: it is under the AGPL, and is started as
a program of its own; `--solhint` names npm's solhint by its file solhint.js."""

import sys
from pathlib import Path

import web3_parts
from bars import modules_of, parser_of, run_parts


def named_run(text: str) -> tuple[str, Path]:
    """The example's name and the folder of its run."""
    name, is_named, folder = text.partition("=")
    if not is_named:
        raise ValueError(text)
    return name, Path(folder)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument(
        "--runs", nargs="*", type=named_run, default=[], help="EXAMPLE=FOLDER: finished runs"
    )
    parser.add_argument("--slither", type=Path, help="slither of another environment")
    parser.add_argument("--solhint", type=Path, help="solhint.js of npm's package")
    parser.add_argument("--overrides", nargs="*", default=[], help="--set of the examples' specs")
    sys.exit(run_parts(parser, {name: part.bars for name, part in modules_of(web3_parts).items()}))
