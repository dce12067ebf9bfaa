"""What PyPI's vulnerability database says of what is installed: `make audit`.

    python locked/audit.py ENVIRONMENT/bin/pip-audit

Ends with 0 only where the database was asked about every package that could have come from PyPI; with 1
where it knows a weakness; with 75 where it was not asked, about all or some: of those nothing is known."""

import json
import subprocess
import sys
from typing import Any

NOT_ASKED = 75  # EX_TEMPFAIL of sysexits.h: try again where there is a network


def main(program: str) -> int:
    command = [program, "--local", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = done.stderr.strip().splitlines()[-1:]
        print(f"the vulnerability database was not asked, and nothing is known: {''.join(last)}")
        return NOT_ASKED
    return told(packages)


def told(packages: list[dict[str, Any]]) -> int:
    """Print what is known and what is not; the exit code."""
    asked = [each for each in packages if "skip_reason" not in each]
    skipped = [each for each in packages if "skip_reason" in each]
    weak = [(each, vulnerability) for each in asked for vulnerability in each["vulns"]]
    for each, vulnerability in weak:
        mended = ", ".join(vulnerability["fix_versions"]) or "nowhere"
        print(f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {mended}")
    for each in skipped:
        print(f"not asked: {each['name']}: {each['skip_reason']}")
    print(
        f"asked about {len(asked)} packages: {len(weak)} known weaknesses; not about {len(skipped)}"
    )
    if weak:
        return 1
    return NOT_ASKED if not asked or any(map(_could_be_asked, skipped)) else 0


def _could_be_asked(skipped: dict[str, Any]) -> bool:
    """finewright is no package of PyPI's in a clone, nor is a build of torch for one kind of machine."""
    return not skipped["name"].startswith(("finewright", "torch"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
