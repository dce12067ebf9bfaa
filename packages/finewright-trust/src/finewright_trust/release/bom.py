"""The bill of materials of a model: CycloneDX 1.7, checked by the strict schema before it is written.

It holds the seven clusters of "Software Bill of Materials (SBOM) for Artificial Intelligence - Minimum
Elements" (G7 Cybersecurity Working Group, 2026-05-12); what only people know and nobody said is
called `not stated`. The library makes the frame; it has no class for a model's card, which is JSON here."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from finewright import __version__
from finewright.errors import StageError
from finewright.report.model_card import feature_names
from finewright.schema.common import Source
from finewright.schema.label_methods import DecidingSettings, LinearSpec
from finewright.schema.provenance import NOT_STATED
from finewright.schema.train import TrainSettings, hub_task
from finewright.store.actor import read_actor
from finewright_trust.release.evidence import RunEvidence
from finewright_trust.release.policy import ReleaseSpec
from finewright_trust.release.provenance import read_environment
from finewright_trust.release.report import ReleaseReport

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

Json = dict[str, Any]  # Any: JSON
_REINFORCED = frozenset({"grpo", "ppo"})


def bill_of_materials(
    evidence: RunEvidence, policy: ReleaseSpec, report: ReleaseReport, digests: Mapping[str, str]
) -> str:
    """The bill as JSON; `digests` are of the bundle's files. Raises StageError if the schema refuses it."""
    from cyclonedx.output.json import JsonV1Dot7

    frame: Json = json.loads(JsonV1Dot7(_frame(evidence, policy, digests)).output_as_string())
    frame["metadata"]["component"]["modelCard"] = _model_card(evidence, policy, report)
    by_name = {f"data:{source.path}": source for source in evidence.data.sources}
    for component in frame["components"]:
        if source := by_name.get(component["bom-ref"]):
            component["data"] = [_data_of(evidence, source)]
    frame["properties"] = [*_properties(evidence, report)]
    text = json.dumps(frame, indent=1)
    _refuse_invalid(text)
    return text


def _refuse_invalid(text: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    if fault := JsonStrictValidator(SchemaVersion.V1_7).validate_str(text):
        raise StageError(f"the bill of materials is not CycloneDX 1.7: {fault}")


def _frame(evidence: RunEvidence, policy: ReleaseSpec, digests: Mapping[str, str]) -> "Bom":
    """Who made the bill, the model, what it is made of, and what depends on what."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle

    candidate, run = evidence.candidate, evidence.run.root.resolve().name
    bom = Bom()
    bom.metadata.timestamp = datetime.now(UTC).replace(microsecond=0)
    bom.metadata.authors = [OrganizationalContact(name=read_actor().describe())]
    bom.metadata.supplier = OrganizationalEntity(name=policy.producer or NOT_STATED)
    bom.metadata.lifecycles = [PredefinedLifecycle(LifecyclePhase.BUILD)]
    tool = _component(ComponentType.APPLICATION, "finewright", __version__)
    bom.metadata.tools.components.add(tool)
    model = _component(ComponentType.MACHINE_LEARNING_MODEL, evidence.lock.spec.name, run)
    model.supplier = OrganizationalEntity(name=policy.producer or NOT_STATED)
    model.description = policy.intended_use or NOT_STATED
    files = [
        _component(ComponentType.FILE, path, sha256=sha256)
        for path, sha256 in digests.items()
        if path.startswith(("model/", "exports/"))
    ]
    model.components = files
    base = _component(
        ComponentType.MACHINE_LEARNING_MODEL,
        candidate.base_model,
        candidate.base_revision or None,
        sha256=candidate.base_sha256,
        licence=candidate.base_license,
    )
    what = candidate.base_origin or candidate.base_model
    if evidence.settings.on_features:
        what = f"no model but features: {feature_names(candidate.base_model)}"
    base.description = f"the base: {what}"
    sources = [_source(source) for source in evidence.data.sources]
    libraries = [
        _component(ComponentType.LIBRARY, name, version, purl=f"pkg:pypi/{name}@{version}")
        for name, version in read_environment(evidence)["packages"].items()
        if version
    ]
    bom.metadata.component = model
    bom.components = [base, *sources, *libraries]
    bom.register_dependency(model, [base, *sources, *libraries])
    return bom


def _source(source: Source) -> "Component":
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.contact import OrganizationalEntity

    found = _component(
        ComponentType.DATA,
        PurePath(source.path).name,
        sha256=source.sha256,
        licence=source.license,
        ref=f"data:{source.path}",
    )
    found.supplier = OrganizationalEntity(name=source.owner)
    return found


def _component(  # noqa: PLR0913 - what a component has
    kind: Any,
    name: str,
    version: str | None = None,
    *,
    sha256: str = "",
    licence: str = "",
    purl: str = "",
    ref: str = "",
) -> "Component":
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    return Component(
        type=kind,
        name=name,
        version=version,
        bom_ref=ref or f"{kind.value}:{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        purl=PackageURL.from_string(purl) if purl else None,
    )


def _model_card(evidence: RunEvidence, policy: ReleaseSpec, report: ReleaseReport) -> Json:
    candidate, settings = (
        evidence.candidate,
        evidence.lock.candidates[evidence.candidate.base_model],
    )
    approach = "reinforcement-learning" if candidate.method in _REINFORCED else "supervised"
    of_language_model = {
        "adapter": settings.adapter.type,
        "tokens": candidate.tokens,
        "learning rate": settings.learning_rate,
    }
    facts = {
        "method": candidate.method,
        **({} if settings.on_features else of_language_model),
        "steps": candidate.steps,
        "trainable parameters": candidate.trainable_parameters,
        "seconds": round(candidate.seconds),
        "privacy": candidate.privacy.spent_line() if candidate.privacy else "not private",
    }
    limits = [
        "what lies outside the rows that were measured: other tasks, other languages, safety",
        *(f"{each.rule}: {each.says}" for each in report.outcomes if each.status != "green"),
    ]
    return {
        "modelParameters": {
            "approach": {"type": approach},
            "task": hub_task(settings),
            **_architecture(evidence),
            "datasets": [{"ref": f"data:{source.path}"} for source in evidence.data.sources],
            "inputs": [{"format": "text"}],
            "outputs": [{"format": _output(settings)}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [*_metrics(evidence)]},
        "considerations": {
            "useCases": [policy.intended_use or NOT_STATED],
            "technicalLimitations": limits,
        },
        "properties": [_property(f"training:{name}", value) for name, value in facts.items()],
    }


def _architecture(evidence: RunEvidence) -> Json:
    if not isinstance(evidence.settings, LinearSpec):
        return {"architectureFamily": "transformer"}
    names = feature_names(evidence.candidate.base_model)
    return {
        "architectureFamily": "linear model",
        "modelArchitecture": f"{evidence.settings.regression} on {names}",
    }


def _output(settings: TrainSettings) -> str:
    if not settings.gives_answers:
        return "a number: the reward of an answer"
    if isinstance(settings, DecidingSettings) and not settings.writes_text:
        return settings.form.output
    return "text"


def _metrics(evidence: RunEvidence) -> Iterator[Json]:
    """Of the task, by system and set; then how often attacks worked."""
    for score in evidence.evaluate.scores if evidence.evaluate else ():
        yield _metric(
            score.metric, f"{score.system}, {score.data}, n {score.n}", score.value, score
        )
    for found in evidence.redteam.findings if evidence.redteam else ():
        for rate in found.rates:
            name = f"attack {found.attack}: {found.name}"
            yield _metric(name, f"{rate.system}, n {rate.trials}", rate.share, rate)


def _metric(kind: str, part: str, value: float, ends: Any) -> Json:  # Any: has a low and a high end
    bounds = {"lowerBound": f"{ends.low:.4g}", "upperBound": f"{ends.high:.4g}"}
    return {"type": kind, "value": f"{value:.4g}", "slice": part, "confidenceInterval": bounds}


def _data_of(evidence: RunEvidence, source: Source) -> Json:
    found = evidence.data.personal_data
    kinds = (
        [f"{n} {kind}" for kind, n in (found.personal_data | found.secrets).items()]
        if found
        else []
    )
    what = (
        f"was looked for, and it was told to {found.action} it" if found else "was not looked for"
    )
    return {
        "type": "dataset",
        "name": PurePath(source.path).name,
        "description": f"rows to train on; personal data {what}",
        "sensitiveData": kinds or ["none found" if found else "unknown"],
        "governance": {"owners": [{"organization": {"name": source.owner}}]},
    }


def _properties(evidence: RunEvidence, report: ReleaseReport) -> Iterator[Json]:
    """Infrastructure, and what was done for security: the rules of the gate and what became of each."""
    machine = read_environment(evidence)
    for name in ("python", "platform", "cpu", "cores", "memory_gib"):
        yield _property(f"infrastructure:{name}", machine.get(name, NOT_STATED))
    yield _property(
        "data flow", "the model runs where its user loads it, and sends nothing elsewhere"
    )
    yield _property("security:policy", f"sha256 {report.policy}")
    yield _property(
        "security:vulnerabilities", "not in this bill: ask the database of each library"
    )
    for each in report.outcomes:
        taken = f"; accepted by {each.accepted.by}: {each.accepted.reason}" if each.accepted else ""
        yield _property(f"security:rule:{each.rule}", f"{each.status}: {each.says}{taken}")


def _property(name: str, value: object) -> Json:
    return {"name": f"finewright:{name}", "value": str(value)}
