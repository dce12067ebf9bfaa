"""Is one flipped bit of a released bundle found and named, and do others' programs take the bundle?

    python benchmarks/release.py --bars            # trains a tiny model: half a minute
    python benchmarks/release.py RUN --bars        # a run of yours, by a policy that asks for little

Bits are drawn over files first, so that small ones, the signature's above all, are tried as often as weights;
every fifth is of the signature. The bundle is then held against its signature by model-signing's own command
line, and its bill of materials against the strict schema of CycloneDX 1.7."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bars import Bar, finish, parser_of

PACKAGES = Path(__file__).parents[1] / "packages"
POLICY = """\
name: bars
release:
  rules: {task: null, forgetting: null, redteam: null, memorisation: null, backdoor: null, poison: null,
    personal_data: null, licences: null, parity: null}
"""
SECONDS = 30.0
SIGNATURE = "model.sig"


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument(
        "run", type=Path, nargs="?", help="default: a tiny one that is trained here"
    )
    parser.add_argument("--flips", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or tiny(Path(folder))
        return finish([*bars(Path(folder), run.resolve(), options.flips)], options)


def tiny(folder: Path) -> Path:
    """A run of a tiny model of the tests."""
    sys.path.insert(0, str(PACKAGES / "finewright" / "tests"))
    import tiny_run  # type: ignore[import-not-found]

    run: Path = tiny_run.trained(folder, "{type: lora, r: 4}")
    return run


def bars(folder: Path, run: Path, flips: int) -> Iterator[Bar]:
    import finewright as fw
    from finewright_trust.release.commands import verify_bundle

    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    bundle = folder / "bundle"
    started = time.perf_counter()
    report = fw.command(
        "release", run=run, policy=folder / "policy.yaml", out=bundle, progress=False
    )
    took = time.perf_counter() - started
    key = Path(report.key)
    rng = random.Random(35)  # noqa: S311
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    found = 0
    for number in range(flips):
        path = bundle / SIGNATURE if number % 5 == 0 else rng.choice(files)
        content = path.read_bytes()
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        named = [problem.file for problem in verify_bundle(bundle, key).problems]
        found += named == [path.relative_to(bundle).as_posix()]
        path.write_bytes(content)
    of = f"{len(files)} files, {sum(f.stat().st_size for f in files) / 2**20:.1f} MiB"
    yield Bar(
        "flipped bits found, and their file alone named", found / flips, 1.0, on=f"{flips}; {of}"
    )
    yield Bar(
        "faults of the bundle as it was", len(verify_bundle(bundle, key).problems), 0, at_most=True
    )
    yield Bar("seconds of a release", took, SECONDS, at_most=True, on=of)
    argv = [sys.executable, "-m", "model_signing", "verify", "key", str(bundle)]
    argv += ["--signature", str(bundle / SIGNATURE), "--public_key", str(key)]
    yield Bar(
        "model-signing's own verify", float(subprocess.run(argv, check=False).returncode == 0), 1.0
    )
    text = (bundle / "bom.cdx.json").read_text(encoding="utf-8")
    fault = JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)
    yield Bar("CycloneDX 1.7, strict", float(fault is None), 1.0)


if __name__ == "__main__":
    sys.exit(main())
