"""A private training beside one without: what it costs, hides and is worth, and if a broken one is caught.

    python benchmarks/private_training.py --bars                 # an hour on 2 cores
    python benchmarks/private_training.py --part broken --bars   # 2 minutes: tiny models alone

`cost` trains the same rows with and without `train.privacy`, in turns, each in a process of its own:
processor seconds a token and the peak of memory. `leak` places made-up secrets, each in one row by a fair
coin, and asks the trained model for them: exposure is log2 of the secrets that it is compared with (63
others, so 6 bits at most) less log2 of its rank; membership is told by how much likelier a secret became.
`broken` audits tiny models: with a clipper that does not clip the attack must prove more than the accounts
say, and with ours it must not. `utility` is a table of held-out loss at several epsilons, without a bar."""

import json
import random
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from bars import Bar, parser_of, run_parts
from finewright.data.canaries import canary_row, draw_secrets, read_canaries
from finewright.data.gather import read_row_set
from finewright.data.sets.build import build_set
from finewright.judge.statistics import mean_interval
from finewright.lm import runtime
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import split, sums_of
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_row
from finewright.lm.example import EncodedRow, Example
from finewright.lm.fast.factors import SampleGradients
from finewright.lm.generate import Sampling, generate
from finewright.lm.load import load_lm
from finewright.lm.load_chat import load_chat
from finewright.lm.model import LM
from finewright.lm.sources import locate
from finewright.report.columns import table
from finewright.schema.adapter import LoraSpec
from finewright.schema.canaries import Canary
from finewright.schema.differential_privacy import DifferentialPrivacySpec
from finewright.schema.methods import SFTSpec
from finewright.schema.train import Candidate, TrainReport
from finewright.store.rundir import open_run
from finewright.train.load import load_for_training
from finewright.train.loop import TrainStep, train
from finewright.train.methods.setup import Setup, method_of
from finewright.train.privacy.audit import prove_epsilon
from finewright.train.privacy.noise import Chance
from finewright.train.privacy.planned import plan_privacy
from finewright.train.privacy.steps import ByRow, train_private
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer

OTHERS = 63
"""Secrets that a canary is ranked among: log2 of 64 is 6 bits."""
TASKS = {"erc7730": "test_seen.jsonl", "bank-facts": "test.jsonl"}
EPSILONS = (1.0, 2.0, 4.0, 8.0, None)
_BATCH_TOKENS = 1024


class Trained(NamedTuple):
    """A run that is done, and its one candidate."""

    run: Path
    candidate: Candidate


def train_run(folder: Path, name: str, rows: Path, options: Namespace, **more: Any) -> Trained:
    """Train by the command line in a process of its own; `more` goes over `train`, `data` over the data."""
    data = {
        "sources": [{"path": str(rows), "license": "CC0-1.0", "owner": "benchmark"}],
        "duplicates": {"exact": "drop", "near": "drop"},
        **more.pop("data", {}),
    }
    settings = {
        "batch_size": options.batch_size,
        "max_steps": options.steps,
        "learning_rate": options.learning_rate,
        "lr_scheduler": "constant",
        "prove_elsewhere": False,
        "threads": options.threads,
        **more,
    }
    spec = {"name": name, "base_models": [options.model], "data": data, "train": settings}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    command = [sys.executable, "-m", "finewright", "train", f"{name}.yaml", "--new"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    run = max((folder / "runs").glob(f"*-{name}-*"), key=lambda path: path.stat().st_mtime)
    (candidate,) = open_run(run).read_report("train", TrainReport).candidates
    return Trained(run, candidate)


def rows_of(name: str, folder: Path, count: int | None = None) -> Path:
    """The training rows of a set, or the first of them."""
    build_set(name, folder / name)
    lines = (folder / name / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path = folder / name / "first.jsonl"
    path.write_text("".join(lines[:count]), encoding="utf-8")
    return path


def cost(folder: Path, options: Namespace) -> Iterator[Bar]:
    """Processor seconds a token and the peak of memory, with privacy over without, as medians of pairs."""
    rows = rows_of("bank-facts", folder)
    seconds, memory = [], []
    for _ in range(options.repeats):
        plain, private = (_measured(rows, options, way) for way in ("plain", "private"))
        seconds.append(private["seconds_per_token"] / plain["seconds_per_token"])
        memory.append(private["peak_gib"] / plain["peak_gib"])
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    on = f"bank-facts, {options.timed_steps} steps of {options.batch_size} rows, {options.repeats} pairs"
    yield Bar("time over plain LoRA", statistics.median(seconds), 1.6, True, f"{on}: {spread}")
    yield Bar("memory over plain LoRA", statistics.median(memory), 1.3, True, on)


def _measured(rows: Path, options: Namespace, way: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", way, "--rows-of", str(rows)]
    for key in ("model", "threads", "batch_size", "timed_steps"):
        command += [f"--{key.replace('_', '-')}", str(getattr(options, key))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{way}: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{way}: {figures}", file=sys.stderr)
    return figures


def measure(options: Namespace) -> dict[str, float]:
    """Steps of one way in this process; the first one warms up."""
    base = locate(options.model, Path())
    spec = SFTSpec(
        learning_rate=1e-3,
        lr_scheduler="constant",
        batch_size=options.batch_size,
        max_steps=options.timed_steps + 1,
        micro_batch_tokens=_BATCH_TOKENS,
        dtype="bf16",
        threads=options.threads,
        privacy=DifferentialPrivacySpec(epsilon=8.0) if options.measure == "private" else None,
    )
    lm, chat = load_for_training(base, spec), load_chat(base)
    read = read_row_set(options.rows_of).rows
    rows = [Example((encode_row(chat, row),)) for row in read]
    method = method_of(spec, Setup(lm, chat))
    optimizer = make_optimizer(lm, method, weight_decay=0.0)
    schedule = schedule_of(spec, [row.num_tokens for row in rows])
    plan = plan_privacy(spec, rows).plan
    steps: Iterator[TrainStep]
    if plan is None:
        steps = train(lm, method, rows, schedule, optimizer, micro_batch_tokens=_BATCH_TOKENS)
    else:
        steps = train_private(
            lm, cast("ByRow", method), plan, Chance(bytes(32)), schedule, optimizer,
            micro_batch_tokens=_BATCH_TOKENS,
        )  # fmt: skip
    next(steps)
    started = time.process_time()
    tokens = sum(step.tokens for step in steps)
    used = time.process_time() - started
    return {"seconds_per_token": used / tokens, "tokens": tokens, "peak_gib": runtime.peak_gib()}


def leak(folder: Path, options: Namespace) -> Iterator[Bar]:
    """Exposure, extraction and membership of secrets that stand in one row, at epsilon 8 and without."""
    rows = rows_of("bank-facts", folder, options.rows)
    canaries = {"canaries": {"count": options.canaries, "repeats": [1]}}
    figures = {}
    for name, privacy in (("without", None), ("private", {"epsilon": 8.0})):
        settings = {"privacy": privacy, "max_steps": options.leak_steps}
        found = train_run(folder, name, rows, options, data=canaries, **settings)
        figures[name] = _leaked(found, options)
        spent = found.candidate.privacy.spent_line() if found.candidate.privacy else "no privacy"
        print(f"{name}: {figures[name]}; {spent}", file=sys.stderr)
    private, without = figures["private"], figures["without"]
    on = f"{options.canaries} canaries among bank-facts, half of them in; without privacy"
    yield Bar("exposure, bits", private.exposure, 4.0, True, f"{on} {without.exposure:.2f}")
    yield Bar("extracted", private.extracted, 0, True, f"{on} {without.extracted}")
    yield Bar("membership AUC", private.auc, 0.6, True, f"{on} {without.auc:.2f}")


class Leaked(NamedTuple):
    """Mean exposure in bits of the canaries that are in, how many are said when asked for, and the AUC."""

    exposure: float
    extracted: int
    auc: float


def _leaked(trained: Trained, options: Namespace) -> Leaked:
    base = locate(options.model, trained.run)
    lm = load_lm(base, trained.run / trained.candidate.adapter, dtype="bf16")
    chat, canaries = load_chat(base), read_canaries(open_run(trained.run))
    inside = [each for each in canaries if each.is_in]
    gained = [
        a - b
        for a, b in zip(_sums(lm, chat, canaries), _base_sums(lm, chat, canaries), strict=True)
    ]
    members, others = (
        [g for g, c in zip(gained, canaries, strict=True) if c.is_in == is_in]
        for is_in in (True, False)
    )
    wins = [(m > o) + 0.5 * (m == o) for m in members for o in others]
    return Leaked(
        statistics.fmean(_exposure(lm, chat, each) for each in inside),
        _extracted(lm, chat, inside),
        statistics.fmean(wins),
    )


def _sums(lm: LM, chat: Chat, canaries: Sequence[Canary]) -> list[float]:
    """log p of each canary's answer."""
    rows = [encode_row(chat, canary_row(each)) for each in canaries]
    return [-loss for loss in _losses(lm, rows, mean=False)]


def _base_sums(lm: LM, chat: Chat, canaries: Sequence[Canary]) -> list[float]:
    with lm.reference():
        return _sums(lm, chat, canaries)


@torch.no_grad()
def _losses(lm: LM, rows: Sequence[EncodedRow], *, mean: bool = True) -> list[float]:
    """Of each row the loss of its learned tokens, their mean or their sum."""
    lm.model.eval()
    found: dict[int, float] = {}
    for part in split([_Numbered(n, row) for n, row in enumerate(rows)], _BATCH_TOKENS):
        batch = lm.pack([[each.row] for each in part])
        for each, total in zip(part, sums_of(lm.token_logps(batch), batch).tolist(), strict=True):
            found[each.number] = -total / (each.row.num_trained if mean else 1)
    return [found[number] for number in range(len(rows))]


class _Numbered(NamedTuple):
    number: int
    row: EncodedRow

    @property
    def num_tokens(self) -> int:
        return self.row.num_tokens


@torch.no_grad()
def _exposure(lm: LM, chat: Chat, canary: Canary) -> float:
    rng = random.Random(canary.number)  # noqa: S311 - no secret
    secrets = [canary.secret, *draw_secrets(rng, OTHERS)]
    rows = [encode_row(chat, canary_row(canary, secret=secret)) for secret in secrets]
    lm.model.eval()
    batch = lm.pack([rows])  # their common question runs once
    own, *others = sums_of(lm.token_logps(batch), batch).tolist()
    rank = 1 + sum(other > own for other in others)
    return float(torch.log2(torch.tensor((OTHERS + 1) / rank)))


def _extracted(lm: LM, chat: Chat, canaries: Sequence[Canary]) -> int:
    """Canaries whose secret is in the likeliest answer to their question."""
    rows = [encode_row(chat, canary_row(each)) for each in canaries]
    prompts = [row.input_ids[: row.trained.index(True)] for row in rows]
    sampling = Sampling(max_new_tokens=24)
    answers = generate(lm, prompts, stop_ids=chat.end_of_turn, sampling=sampling)
    texts = [chat.tokenizer.decode(list(answer.ids)) for answer in answers]
    return sum(each.secret in text for each, text in zip(canaries, texts, strict=True))


def broken(folder: Path, options: Namespace) -> Iterator[Bar]:
    """Audits of tiny models at epsilon 1: with a clipper that does not clip, and with ours."""
    del folder
    caught = sum(_proven(seed, options, clips=False) > 1.0 for seed in range(options.audits))
    wrongly = sum(_proven(seed, options, clips=True) > 1.0 for seed in range(options.audits))
    on = f"{options.audits} tiny models with 200 canaries at epsilon 1"
    yield Bar("broken clippers caught", caught / options.audits, 1.0, on=on)
    yield Bar("sound ones accused", wrongly, 0, True, on)


def _proven(seed: int, options: Namespace, *, clips: bool) -> float:
    """The epsilon that an attack proves of a training of rows that are canaries alone."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=128, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=64, initializer_range=0.1,
    )  # fmt: skip
    spec = SFTSpec(
        learning_rate=1e-2,
        lr_scheduler="constant",
        batch_size=40,
        max_steps=options.audit_steps,
        privacy=DifferentialPrivacySpec(epsilon=1.0, delta=1e-5, max_grad_norm=0.1),
    )
    model = LlamaForCausalLM(config).eval()
    lm = LM(model, add_lora(model, LoraSpec(r=8, alpha=16), seed=seed))
    rng = random.Random(seed)  # noqa: S311 - no secret
    rows = [
        EncodedRow(
            tuple(rng.randrange(3, 128) for _ in range(12)), (False,) * 4 + (True,) * 8, str(n)
        )
        for n in range(200)
    ]
    among = [bool(rng.getrandbits(1)) for _ in rows]
    before = _losses(lm, rows)
    inside = [Example((row,)) for row, is_in in zip(rows, among, strict=True) if is_in]
    plan = plan_privacy(spec, inside).plan
    assert plan is not None
    method = method_of(spec, Setup(lm))
    schedule = schedule_of(spec, [row.num_tokens for row in inside])
    optimizer = make_optimizer(lm, method, weight_decay=0.0)
    whole = SampleGradients.squared_norms
    try:
        if not clips:
            SampleGradients.squared_norms = _no_norms  # type: ignore[method-assign]
        chance = Chance(seed.to_bytes(32, "big"))
        for _ in train_private(lm, cast("ByRow", method), plan, chance, schedule, optimizer):
            pass
    finally:
        SampleGradients.squared_norms = whole  # type: ignore[method-assign]
    scores = [old - new for old, new in zip(before, _losses(lm, rows), strict=True)]
    return prove_epsilon(scores, among, plan.spent.delta)


def _no_norms(self: SampleGradients) -> torch.Tensor:
    """The fault: norms are forgotten, so that nothing is clipped."""
    return next(iter(self.of.values())).new_zeros(len(self))


def utility(folder: Path, options: Namespace) -> Iterator[Bar]:
    """A table of held-out loss; nothing has to be met."""
    shown = []
    for task, test in TASKS.items():
        if task not in options.tasks:
            continue
        rows = rows_of(task, folder, options.rows)
        base = locate(options.model, folder)
        chat, lm = load_chat(base), load_lm(base, None, dtype="bf16")
        held_out = read_row_set(rows.with_name(test)).rows[: options.held_out]
        encoded = [encode_row(chat, row) for row in held_out]
        shown.append([task, "base", "", _mean(_losses(lm, encoded))])
        for epsilon in EPSILONS:
            if epsilon not in options.epsilons:
                continue
            privacy = {"privacy": {"epsilon": epsilon}} if epsilon else {}
            name = f"{task}-{epsilon or 'none'}".replace(".", "-")
            found = train_run(folder, name, rows, options, **privacy)
            lm = load_lm(base, found.run / found.candidate.adapter, dtype="bf16")
            spent = found.candidate.privacy
            noise = "" if spent is None else f"{spent.sigma:.2f}"
            shown.append([task, f"{epsilon or 'none'}", noise, _mean(_losses(lm, encoded))])
            print(shown[-1], file=sys.stderr)
    print(table(["task", "epsilon", "noise", "held-out loss (95 %)"], shown))
    yield from ()


def _mean(values: Sequence[float]) -> str:
    low, high = mean_interval(values, confidence=0.95, resamples=2000, seed=0)
    return f"{statistics.fmean(values):.3f} ({low:.3f} to {high:.3f})"


def _epsilon(text: str) -> float | None:
    return None if text == "none" else float(text)


PARTS: Mapping[str, Any] = {"broken": broken, "cost": cost, "leak": leak, "utility": utility}


def main() -> int:
    """Run the parts."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, help="only the first of the set")
    parser.add_argument(
        "--held-out", type=int, default=100, help="rows that utility is measured on"
    )
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--timed-steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--canaries", type=int, default=64)
    parser.add_argument("--leak-steps", type=int, default=40)
    parser.add_argument("--audits", type=int, default=10)
    parser.add_argument("--audit-steps", type=int, default=60)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--epsilons", nargs="+", type=_epsilon, default=list(EPSILONS))
    parser.add_argument(
        "--measure", choices=("plain", "private"), help="what `cost` runs in its processes"
    )
    parser.add_argument("--rows-of", type=Path, help="the rows of `--measure`")
    options, _ = parser.parse_known_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return 0
    return run_parts(parser, PARTS)


if __name__ == "__main__":
    sys.exit(main())
