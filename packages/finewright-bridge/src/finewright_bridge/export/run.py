"""`export`: a run's result as files that others load, asked and compared before they are published."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finewright.errors import DataError, ModelError, StoreError
from finewright.feature import OnEvent
from finewright.lm.sources import locate_in, read_config, read_stored_dtype, weight_files
from finewright.schema.common import Artifact, Problem, without
from finewright.schema.export import ExportReport
from finewright.schema.run import DAY
from finewright.schema.train_section import settings_of
from finewright.store.atomic import replace_dir, sha256_file, write_json
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.workbench.outputs import check_outputs
from finewright.workbench.systems import candidate_of, load_system
from finewright_bridge.export.options import ExportOptions
from finewright_bridge.export.parity import ParityPrompts, prompts_of
from finewright_bridge.export.proof import GGUF, compare, why_not
from finewright_bridge.export.write import ExportedRun, Writer

REPORT = "export.json"
_WHOLE = ("f32", "f16", "bf16")
_ALL = (*_WHOLE, "q8_0", "q4_k_m")
_FORMATS: Mapping[str, Sequence[str]] = {
    **{"merged": _WHOLE, "gguf": _ALL, "gguf-adapter": _ALL, "ollama": _ALL},
    **{"vllm": (), "hub-folder": ()},
}
"""The number formats that each target can be written in."""


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
    tuned = load_system(str(options.run), base_model=options.base_model, dtype=source.dtype)
    asking = prompts_of(source.run, tuned.chat, options.prompts)
    from finewright_bridge.export.parity import own_answers

    own = own_answers(tuned.lm, asking.prompts, tuned.chat.stop_ids, options.max_new_tokens)
    with replace_dir(out) as new:
        on_event("contest", {"what": f"writing {options.to}"})
        writer = Writer(source, tuned, new, out, quantization)
        exported = writer.write(options.to)
        on_event("contest", {"what": "asking what was written the same"})
        parity = compare(options, source, exported, asking, own, quantization)
        if not parity.passed and not options.accept:
            raise ModelError(
                f"{out}: not published, as it is not the training's model: {why_not(parity)}",
                hint="--accept REASON publishes it and records the reason",
            )
        report = ExportReport(
            run=str(options.run),
            base_model=source.base.name,
            to=options.to,
            folder=str(out),
            quantization=quantization,
            files=tuple(_files(new)),
            parity=parity,
            problems=tuple(_cautions(options.to, asking, tuned.chat.options)),
            use=writer.use(options.to),
        )
        write_json(new / REPORT, report.model_dump(mode="json"))
    return report


def _source(options: ExportOptions) -> ExportedRun:
    run = open_run(options.run)
    candidate, lock = candidate_of(run, options.base_model), lock_of(run)
    settings = settings_of(candidate.method)
    if settings.decides and not settings.writes_text:
        raise StoreError(
            f"{options.run}: a model of labels is no language model, and no such format holds it",
            hint="its folder is its export: `predict`, `evaluate` and `serve` read it",
        )
    base = locate_in(run, candidate.base_model, Path(lock.root), commit=candidate.base_revision)
    own = lock.candidates[base.name].dtype
    assert own != "auto"
    return ExportedRun(run, candidate, base, "fp32" if _fits_in_float32(base.folder) else own)


def _fits_in_float32(folder: Path) -> bool:
    """Whether three models of it, as many as a comparison holds, fit into memory."""
    from finewright.lm.runtime import free_bytes

    stored = sum(path.stat().st_size for path in weight_files(folder))
    return 3 * stored * (1 if read_stored_dtype(folder) == "float32" else 2) <= free_bytes()


def _check(options: ExportOptions, source: ExportedRun) -> None:
    """Raise for what the target cannot hold."""
    if not settings_of(source.candidate.method).gives_answers:
        raise DataError(
            f"{options.run}: a reward model gives no answers to compare, and is not exported",
            hint=f"its folder is {source.adapter}: transformers reads it as a sequence classifier",
        )
    formats = _FORMATS[options.to]
    if options.quantize and options.quantize not in formats:
        takes = f"which is written in {', '.join(formats)}" if formats else "which keeps its own"
        raise DataError(f"--quantize {options.quantize} is not for {options.to}, {takes}")
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
    if options.to in GGUF:
        from finewright.lm.llamacpp.server import require_llamacpp
        from finewright_bridge.export.gguf_numbers import family_of

        require_llamacpp("a GGUF file is not published unproved")
        family_of(read_config(source.base.folder / "config.json"))


def _quantization(options: ExportOptions, source: ExportedRun) -> str:
    """The one that was asked for. A GGUF file is in f16 unless the base is in float32: f16 holds bfloat16's
    weights, and what a merge adds to them in 8 times finer steps; and llama.cpp rounds what it multiplies
    weights with to their own format."""
    if options.quantize or options.to not in GGUF:
        return options.quantize or ""
    return "f32" if read_stored_dtype(source.base.folder) == "float32" else "f16"


def _cautions(target: str, asking: ParityPrompts, switches: Mapping[str, Any]) -> Iterator[Problem]:
    """What whoever uses the export must know."""
    if asking.left_out:
        yield Problem(
            level="info",
            message=f"{asking.left_out} rows spell control tokens in their contents and were not compared:"
            " finewright reads them as text, and servers read them as control tokens",
        )
    if DAY in switches:
        yield Problem(
            level="warning",
            message=f"the template asks for the day: in training and evaluation it was told {switches[DAY]};"
            " other servers, and the comparison with this export, tell the real day",
        )
    given = without(switches, (DAY,))
    if given and target != "vllm":
        yield Problem(
            level="warning",
            message=f"the run was trained and compared with chat_template: {json.dumps(given)};"
            " whoever asks the export without it asks something else",
            hint="pass it with every request as chat_template_kwargs",
        )
    if target == "ollama" and any("tools" in body for body in asking.conversations):
        yield Problem(
            level="warning",
            message="the Modelfile's template has no words for tools: do not offer any",
        )


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
