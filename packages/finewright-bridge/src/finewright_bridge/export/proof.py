"""Whether what was written answers, cuts text and renders conversations as the training's own model does.

What llama.cpp makes of a GGUF file, asked in a process of its own."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finewright.errors import ModelError
from finewright.lm.llamacpp.server import COMMAND, reason_of
from finewright.schema.export import Parity, Tolerance
from finewright.store.speclock import lock_of
from finewright.workbench.systems import load_system
from finewright_bridge.export.options import ExportOptions
from finewright_bridge.export.parity import GreedyAnswer, ParityPrompts, Prompt
from finewright_bridge.export.write import ExportedFiles, ExportedRun

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


_SECONDS = 3600


class LlamaAnswers(NamedTuple):
    """Answers to prompts, the tokens that each conversation and each text becomes, and the version."""

    answers: list[GreedyAnswer]
    conversations: list[tuple[int, ...]]
    tokens: list[tuple[int, ...]]
    version: str


GGUF = ("gguf", "gguf-adapter", "ollama")
TOLERANCES = {
    "": Tolerance(gap=0.15, logp_mean=0.02, parted=0.1),
    "f32": Tolerance(gap=0.15, logp_mean=0.02, parted=0.1),
    "f16": Tolerance(gap=0.15, logp_mean=0.02, parted=0.1),
    "bf16": Tolerance(gap=0.15, logp_mean=0.02, parted=0.1),
    "q8_0": Tolerance(gap=0.4, logp_mean=0.05, parted=0.1),
    "q4_k_m": Tolerance(gap=2.0, logp_mean=0.3, parted=0.5),
}
"""By the number format of a GGUF file; "" is of safetensors."""


@dataclass(frozen=True, slots=True)
class _Theirs:
    """Who answered, what, and the tokens that prompts and conversations became there."""

    engine: str
    answers: Sequence["GreedyAnswer"]
    tokens: Sequence[tuple[int, ...]]
    conversations: Sequence[tuple[int, ...]]


def compare(
    options: ExportOptions,
    source: ExportedRun,
    exported: ExportedFiles,
    asking: ParityPrompts,
    own: Sequence["GreedyAnswer"],
    quantization: str,
) -> Parity:
    """The training's own model is loaded anew: the first may have been merged."""
    from finewright_bridge.export.parity import distances

    tuned = load_system(str(options.run), base_model=options.base_model, dtype=source.dtype)
    ask = _of_llamacpp if options.to in GGUF else _of_folder
    theirs = ask(options, source, exported, asking, tuned.chat)
    most = options.max_new_tokens
    # answers are made step by step and judged in one piece, which are not rounded alike
    rounding = distances(tuned.lm, asking.prompts, own, own, most).gap_max
    tolerance = TOLERANCES[quantization].beyond(rounding)
    if options.max_parted is not None:
        tolerance = tolerance.model_copy(update={"parted": options.max_parted})
    far = distances(tuned.lm, asking.prompts, own, theirs.answers, most)
    other_tokens = _others(asking.prompts, theirs.tokens)
    other_renderings = _others(asking.prompts, theirs.conversations)
    has_logps = far.compared > 0
    parity = Parity(
        engine=theirs.engine,
        prompts=far.prompts,
        same=far.same,
        ties=far.ties,
        rounding=far.rounding,
        gap_max=far.gap_max,
        logp_mean=far.logp_mean if has_logps else None,
        logp_max=far.logp_max if has_logps else None,
        compared=far.compared,
        other_tokens=other_tokens,
        other_renderings=other_renderings,
        tolerance=tolerance,
        dtype=source.dtype,
        passed=False,
    )
    passed = not why_not(parity)
    return parity.model_copy(
        update={"passed": passed, "accepted": "" if passed else options.accept}
    )


def why_not(parity: Parity) -> str:
    """The first thing that is beyond the tolerance; empty where nothing is."""
    tolerance = parity.tolerance
    if parity.other_tokens:
        return f"{parity.other_tokens} of {parity.prompts} prompts are cut into other tokens"
    if parity.other_renderings:
        return f"{parity.other_renderings} conversations are rendered otherwise"
    if parity.gap_max > tolerance.gap:
        far = f"{parity.gap_max:.2f} nats below the model's choice"
        return f"a token lies {far}, and {tolerance.gap:.3g} is allowed"
    if parity.logp_mean is not None and parity.logp_mean > tolerance.logp_mean:
        far = f"{parity.logp_mean:.3f} nats on average"
        return f"log-probabilities differ by {far}, and {tolerance.logp_mean:g} is allowed"
    if parity.parted > tolerance.parted * parity.prompts:
        return f"{describe_parted(parity)}, and {tolerance.parted:.0%} is allowed (--max-parted)"
    return ""


def describe_parted(parity: Parity) -> str:
    """How many answers are others, in words."""
    share = parity.parted / parity.prompts
    ties = f", {parity.ties} more at a tie" if parity.ties else ""
    return (
        f"{parity.parted} of {parity.prompts} answers ({share:.0%}) part from the model's own{ties}"
    )


def _of_llamacpp(
    options: ExportOptions,
    source: ExportedRun,
    exported: ExportedFiles,
    asking: ParityPrompts,
    chat: "Chat",
) -> _Theirs:
    found = ask_llamacpp(
        exported.model,
        exported.adapter,
        asking.prompts,
        asking.conversations,
        max_new_tokens=options.max_new_tokens,
    )
    engine = f"llama.cpp (xllamacpp {found.version})"
    return _Theirs(engine, found.answers, found.tokens, found.conversations)


def _of_folder(
    options: ExportOptions,
    source: ExportedRun,
    exported: ExportedFiles,
    asking: ParityPrompts,
    chat: "Chat",
) -> _Theirs:
    """The folder as any program reads it: its weights or adapter, its tokenizer and template, its ends."""
    from finewright.lm.load import load_lm
    from finewright_bridge.export.folder import chat_in, ends_in
    from finewright_bridge.export.parity import as_text, own_answers

    lock = lock_of(source.run)
    consent = lock.spec.remote_code.get(source.base.name, "")
    lm = load_lm(source.base, exported.model, dtype=source.dtype, consent=consent)
    written, ends = chat_in(exported.model, chat), ends_in(exported.model)
    answers = own_answers(lm, asking.prompts, ends, options.max_new_tokens)
    shown = [written.prompt(body["messages"], body.get("tools")) for body in asking.conversations]
    conversations = [as_text(written, each.text) for each in shown]
    tokens = [as_text(written, prompt.text) for prompt in asking.prompts]
    return _Theirs("the folder, read by transformers", answers, tokens, conversations)


def _others(prompts: Sequence["Prompt"], tokens: Sequence[tuple[int, ...]]) -> int:
    return sum(prompt.ids != ids for prompt, ids in zip(prompts, tokens, strict=True))


def ask_llamacpp(
    model: Path,
    adapter: Path | None,
    prompts: Sequence[Prompt],
    conversations: Sequence[Mapping[str, Any]],
    *,
    max_new_tokens: int,
) -> LlamaAnswers:
    """Raises ModelError where llama.cpp cannot read the file, with its own words."""
    longest = max(len(prompt.ids) for prompt in prompts)
    given = {
        "model": str(model),
        "adapter": str(adapter or ""),
        "context": longest + max_new_tokens + 8,
        "threads": 1,  # two that wait for each other on a busy machine are many times slower
        "prompts": [prompt.ids for prompt in prompts],
        "texts": [prompt.text for prompt in prompts],
        "conversations": conversations,
        "max_new_tokens": max_new_tokens,
    }
    try:
        done = subprocess.run(
            COMMAND,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{model.name}: llama.cpp gave no answer in {_SECONDS // 60} minutes",
            hint="ask less of it: --prompts 10 --max-new-tokens 16",
        ) from None
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode != 0 or not last.startswith("{"):
        raise ModelError(f"{model.name}: llama.cpp cannot run it: {reason_of(done.stderr)}")
    found = json.loads(last)
    return LlamaAnswers(
        answers=[_answer(each) for each in found["answers"]],
        conversations=[tuple(ids) for ids in found["conversations"]],
        tokens=[tuple(ids) for ids in found["tokens"]],
        version=str(found["version"]),
    )


def _answer(given: Mapping[str, Any]) -> GreedyAnswer:
    logps = None if given["logps"] is None else tuple(given["logps"])
    return GreedyAnswer(tuple(given["ids"]), given["stop_id"], logps)
