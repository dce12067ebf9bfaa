"""`export`: a run's result as files that others load, asked and compared before they are published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.compare.models import LoadedModel
from finewright.errors import DataError, ModelError
from finewright.feature import OnEvent
from finewright.features.export.commands import ExportOptions
from finewright.features.export.prompts import ParityPrompts, prompts_of
from finewright.features.export.results import ExportReport, Parity, Tolerance
from finewright.lm.sources import LocalBase, locate
from finewright.schema.common import Artifact
from finewright.schema.train import Candidate
from finewright.store.atomic import os_errors, replace_dir, scratch_dir, sha256_file, write_json
from finewright.store.rundir import RunDir, open_run
from finewright.store.speclock import lock_of
from finewright.workbench.outputs import check_outputs
from finewright.workbench.systems import candidate_of, load_system

if TYPE_CHECKING:
    from finewright.lm.export.parity import GreedyAnswer

_GGUF = ("gguf", "gguf-adapter", "ollama")
_TOLERANCES = {
    "": Tolerance(gap=0.15, logp_mean=0.02),
    "f32": Tolerance(gap=0.15, logp_mean=0.02),
    "f16": Tolerance(gap=0.15, logp_mean=0.02),
    "bf16": Tolerance(gap=0.15, logp_mean=0.02),
    "q8_0": Tolerance(gap=0.4, logp_mean=0.05),
    "q4_k_m": Tolerance(gap=2.0, logp_mean=0.3),
}
REPORT = "export.json"
BASE = "base.gguf"


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """The run that is exported, and what of it."""

    run: RunDir
    candidate: Candidate
    base: LocalBase

    @property
    def adapter(self) -> Path:
        """What was trained."""
        return self.run.root / self.candidate.adapter

    @property
    def name(self) -> str:
        """The run's."""
        return self.run.root.resolve().name


def export(options: ExportOptions, on_event: OnEvent) -> ExportReport:
    """Write the folder, compare, and publish it only where the answers are the same within the tolerance.

    Raises DataError and ModelError before a model is loaded for what a target cannot hold, and ModelError
    after the comparison where it failed and no reason to accept it was given; then nothing is left behind."""
    source = _source(options)
    _check(options, source)
    out = options.out or Path(f"{source.name}-{options.to}")
    check_outputs([out], [options.run])
    quantization = _quantization(options, source)
    on_event("contest", {"what": f"loading {source.name} and asking it {options.prompts} prompts"})
    tuned = load_system(str(options.run), base_model=options.base_model)
    parity_prompts = prompts_of(source.run, tuned.chat, options.prompts)
    from finewright.lm.export.parity import own_answers

    own = own_answers(tuned.lm, parity_prompts.prompts, tuned.chat.stop_ids, options.max_new_tokens)
    with replace_dir(out) as new:
        on_event("contest", {"what": f"writing {options.to}"})
        writer = _Writer(source, tuned, new, quantization)
        exported = writer.write(options.to)
        on_event("contest", {"what": "asking what was written the same"})
        parity = _compare(options, source, exported, parity_prompts, own, quantization)
        if not parity.passed and not options.accept:
            raise ModelError(
                f"{out}: not published, as it does not answer as the training's model does: {_why(parity)}",
                hint="another --quantize, or --accept REASON to publish and record it",
            )
        report = ExportReport(
            run=str(options.run),
            base_model=source.base.name,
            to=options.to,
            folder=str(out),
            quantization=quantization,
            files=tuple(_files(new)),
            parity=parity,
            use=writer.use(options.to, out),
        )
        write_json(new / REPORT, report.model_dump(mode="json"))
    return report


def _source(options: ExportOptions) -> ExportedRun:
    run = open_run(options.run)
    candidate, lock = candidate_of(run, options.base_model), lock_of(run)
    base = locate(candidate.base_model, Path(lock.root), commit=candidate.base_revision)
    return ExportedRun(run, candidate, base)


def _check(options: ExportOptions, source: ExportedRun) -> None:
    """Raise for what the target cannot hold."""
    if source.candidate.method == "reward":
        raise DataError(
            f"{options.run}: a reward model gives no answers to compare, and is not exported",
            hint=f"its folder is {source.adapter}: transformers reads it as a sequence classifier",
        )
    if options.quantize and options.to not in ("gguf", "ollama"):
        raise DataError(f"--quantize is for gguf and ollama, not for {options.to}")
    adapter = lock_of(source.run).spec.train.adapter
    if adapter.type in ("prefix", "prompt") and options.to != "hub-folder":
        raise DataError(
            f"--to {options.to}: virtual tokens ({adapter.type}) are no weights, and no engine but"
            " transformers with PEFT, and finewright, holds them",
            hint="export with --to hub-folder, or train LoRA",
        )
    is_plain_lora = adapter.type == "lora" and not adapter.use_dora
    if options.to == "gguf-adapter" and not is_plain_lora:
        raise DataError(
            f"--to gguf-adapter: llama.cpp holds plain LoRA only, and this run trained {adapter.type}"
            f"{' with use_dora' if adapter.type == 'lora' else ''}",
            hint="export with --to gguf, which merges it",
        )
    if options.to in _GGUF:
        from finewright.lm.export.gguf_numbers import family_of
        from finewright.lm.export.llamacpp import require_llamacpp

        require_llamacpp()
        family_of(json.loads((source.base.folder / "config.json").read_text(encoding="utf-8")))


def _quantization(options: ExportOptions, source: ExportedRun) -> str:
    if options.to not in _GGUF:
        return ""
    if options.quantize:
        return options.quantize
    config = json.loads((source.base.folder / "config.json").read_text(encoding="utf-8"))
    stored = str(config.get("dtype") or config.get("torch_dtype"))
    return {"bfloat16": "bf16", "float16": "f16"}.get(stored, "f32")


@dataclass(frozen=True, slots=True)
class _Exported:
    """What is loaded for the comparison: a folder for transformers, or a GGUF file and an adapter for it."""

    model: Path
    adapter: Path | None = None


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes into `folder`; the merged model is made of `tuned`, which is of no use afterwards."""

    source: ExportedRun
    tuned: LoadedModel
    folder: Path
    quantization: str

    def write(self, target: str) -> _Exported:
        """The files of the target."""
        writers = {
            "merged": self._merged,
            "gguf": self._gguf,
            "gguf-adapter": self._gguf_adapter,
            "ollama": self._ollama,
            "vllm": self._vllm,
            "hub-folder": self._hub_folder,
        }
        return writers[target]()

    def use(self, target: str, out: Path) -> str:
        """The command that loads what was written."""
        return {
            "merged": f"finewright chat {out}, or transformers' from_pretrained('{out}')",
            "gguf": f"llama-server -m {out / self._model_name} --jinja",
            "gguf-adapter": f"llama-server -m {out / BASE} --lora {out / self._adapter_name} --jinja",
            "ollama": f"ollama create {self.source.name} -f {out / 'Modelfile'}",
            "vllm": f"vllm serve --config {out / 'vllm.yaml'}",
            "hub-folder": f"PeftModel.from_pretrained(base, '{out}')",
        }[target]

    @property
    def _model_name(self) -> str:
        return f"{self.source.name}-{self.quantization}.gguf"

    @property
    def _adapter_name(self) -> str:
        return f"{self.source.name}-lora.gguf"

    def _merged(self) -> _Exported:
        from finewright.lm.ends import save_with_ends
        from finewright.lm.export.merge import merge, save_merged

        save_merged(self.folder, merge(self.tuned.lm), self.source.base.folder)
        save_with_ends(self.folder, self.tuned.chat)
        return _Exported(self.folder)

    def _gguf(self) -> _Exported:
        from finewright.lm.export.gguf_file import write_model
        from finewright.lm.export.merge import merge, save_merged

        path = self.folder / self._model_name
        with scratch_dir(self.folder / "merged") as merged:
            save_merged(merged, merge(self.tuned.lm), self.source.base.folder)
            write_model(path, merged, self.tuned.chat, self.quantization, self.source.name)
        return _Exported(path)

    def _gguf_adapter(self) -> _Exported:
        from finewright.lm.export.gguf_file import write_adapter, write_model

        base = self.source.base.folder
        path = self.folder / self._adapter_name
        write_adapter(path, self.source.adapter, base, self.source.name)
        with_base = (
            self.folder / "base.gguf"
        )  # the adapter is asked on the base that it was trained on
        write_model(with_base, base, self.tuned.chat, self.quantization, self.source.base.name)
        return _Exported(with_base, path)

    def _ollama(self) -> _Exported:
        from finewright.lm.export.ollama import modelfile

        text = modelfile(self.tuned.chat, self._model_name)  # refuses before anything is written
        exported = self._gguf()
        (self.folder / "Modelfile").write_text(text, encoding="utf-8")
        return exported

    def _hub_folder(self) -> _Exported:
        _copy(self.source.adapter, self.folder)
        return _Exported(self.folder)

    def _vllm(self) -> _Exported:
        from finewright.features.export.vllm import settings

        adapter = lock_of(self.source.run).spec.train.adapter
        if adapter.type == "lora" and not adapter.use_dora:
            _copy(self.source.adapter, self.folder)
        else:
            self._merged()
        text = settings(self.source.name, self.source.candidate, adapter, self.folder)
        (self.folder / "vllm.yaml").write_text(text, encoding="utf-8")
        return _Exported(self.folder)


def _copy(source: Path, folder: Path) -> None:
    import shutil

    with os_errors(source):
        shutil.copytree(source, folder, dirs_exist_ok=True)


def _compare(
    options: ExportOptions,
    source: ExportedRun,
    exported: _Exported,
    parity_prompts: ParityPrompts,
    own: Sequence["GreedyAnswer"],
    quantization: str,
) -> Parity:
    """The training's own model is loaded anew: the first may have been merged."""
    from finewright.lm.export.parity import distances

    theirs = (
        _of_llamacpp(options, exported, parity_prompts)
        if options.to in _GGUF
        else _Theirs(
            "transformers' weights in finewright",
            _reloaded(options, source, exported, parity_prompts),
        )
    )
    tuned = load_system(str(options.run), base_model=options.base_model)
    far, tolerance = (
        distances(tuned.lm, parity_prompts.prompts, own, theirs.answers),
        _TOLERANCES[quantization],
    )
    has_logps = far.compared > 0
    passed = (
        far.gap_max <= tolerance.gap
        and far.ended_otherwise == 0
        and (not has_logps or far.logp_mean <= tolerance.logp_mean)
        and not theirs.other_tokens
        and not theirs.other_renderings
    )
    return Parity(
        engine=theirs.engine,
        prompts=far.prompts,
        same=far.same,
        ended_otherwise=far.ended_otherwise,
        gap_max=far.gap_max,
        logp_mean=far.logp_mean if has_logps else None,
        logp_max=far.logp_max if has_logps else None,
        compared=far.compared,
        other_tokens=theirs.other_tokens,
        other_renderings=theirs.other_renderings,
        tolerance=tolerance,
        passed=passed,
        accepted="" if passed else options.accept,
    )


@dataclass(frozen=True, slots=True)
class _Theirs:
    """Who answered, what, and how many prompts and conversations it reads otherwise."""

    engine: str
    answers: Sequence["GreedyAnswer"]
    other_tokens: int = 0
    other_renderings: int | None = None


def _of_llamacpp(
    options: ExportOptions, exported: _Exported, parity_prompts: ParityPrompts
) -> _Theirs:
    from finewright.lm.export.llamacpp import ask_llamacpp

    found = ask_llamacpp(
        exported.model,
        exported.adapter,
        parity_prompts.prompts,
        parity_prompts.conversations,
        max_new_tokens=options.max_new_tokens,
    )
    tokens = zip(parity_prompts.prompts, found.tokens, strict=True)
    texts = zip(parity_prompts.texts, found.renderings, strict=True)
    return _Theirs(
        f"llama.cpp (xllamacpp {found.version})",
        found.answers,
        sum(tuple(prompt.ids) != ids for prompt, ids in tokens),
        sum(ours != other for ours, other in texts),
    )


def _reloaded(
    options: ExportOptions, source: ExportedRun, exported: _Exported, parity_prompts: ParityPrompts
) -> Sequence["GreedyAnswer"]:
    """The answers of the folder as any program reads it: the base, and what is in the folder."""
    from finewright.lm.export.parity import own_answers
    from finewright.lm.load import load_chat, load_lm

    lock = lock_of(source.run)
    dtype = lock.candidates[source.base.name].dtype
    assert dtype != "auto"
    consent = lock.spec.remote_code.get(source.base.name, "")
    lm = load_lm(source.base, exported.model, dtype=dtype, consent=consent)
    chat = load_chat(source.base, consent=consent, options=lock.spec.chat_template)
    return own_answers(lm, parity_prompts.prompts, chat.stop_ids, options.max_new_tokens)


def _why(parity: Parity) -> str:
    """The first thing that is beyond the tolerance."""
    tolerance = parity.tolerance
    if parity.other_tokens:
        return f"{parity.other_tokens} of {parity.prompts} prompts are cut into other tokens"
    if parity.other_renderings:
        return f"{parity.other_renderings} conversations are rendered otherwise"
    if parity.ended_otherwise:
        return f"{parity.ended_otherwise} of {parity.prompts} answers end otherwise"
    if parity.gap_max > tolerance.gap:
        far = f"{parity.gap_max:.2f} nats below the model's choice"
        return f"a token lies {far}, and {tolerance.gap:g} is allowed"
    far = f"{parity.logp_mean:.3f} nats on average"
    return f"log-probabilities differ by {far}, and {tolerance.logp_mean:g} is allowed"


def _files(folder: Path) -> list[Artifact]:
    return [
        Artifact(
            path=str(path.relative_to(folder)),
            kind="export",
            sha256=sha256_file(path),
            bytes=path.stat().st_size,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
