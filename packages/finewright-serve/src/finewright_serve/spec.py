"""The `serve` section of the spec: which models, where, to whom, and within which bounds."""

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from finewright import plugins
from finewright.schema.common import Model, default
from finewright_serve.guards.spec import GuardSpec
from finewright_serve.watch.spec import AlarmsSpec, TheftSpec

_LOCAL = {"localhost"}


if TYPE_CHECKING:
    EngineKind = str
else:
    EngineKind = Literal[tuple(plugins.list_names("engine"))]


OWN_ENGINES = ("native", "llamacpp", "remote", "embedder")
"""The engines that this package registers; those of others have `settings` instead of keys of their own."""


class RemoteSettings(Model):
    """How another OpenAI-compatible server is asked."""

    also: tuple[Annotated[str, Field(min_length=1)], ...] = default(
        (), "More addresses, as http://vllm-2:8000/v1, that serve the same model", "one server"
    )
    key_env: str = default(
        "",
        "Environment variable that holds the key",
        "no key; one in a spec would be in its copies",
        pattern=r"^\w{0,64}$",
    )
    trusted_network: bool = default(
        False, "May the key go to another machine unencrypted?", "somebody may listen"
    )
    silent_seconds: float = default(
        120.0, "Longest silence of the server", "a long prompt may wait and be read", gt=0
    )
    at_once: int = default(64, "Questions it answers at once", "a GPU's usual batch", ge=1)
    embeds: bool = default(False, "Does it give vectors?", "most give answers alone")


class LlamacppSettings(Model):
    """How llama.cpp runs a GGUF file."""

    adapters: dict[Annotated[str, Field(pattern=r"^[\w.@-]{1,64}$")], str] = default(
        {}, "Name -> GGUF adapter, served as base:name", "the file alone"
    )
    at_once: int = default(4, "Answers at once", "they share the cores", ge=1, le=256)
    context: int = default(4096, "Tokens of a prompt and its answer", "memory", ge=64)
    threads: int | None = default(
        None, "Threads", "the quickest number is measured at the start", ge=1
    )


class DocumentsSpec(Model):
    """Documents that a model answers from, of those that the groups of a key may see."""

    index: Annotated[
        str,
        Field(
            min_length=1,
            description="An index of `finewright rag`, or a spec with `rag`, beside this spec.",
        ),
    ]
    unproved: Literal["give", "abstain"] = default(
        "give",
        "An answer of which nothing stands in a passage: give it, without a citation, or say that the"
        " passages do not hold the answer, for which every answer waits until it is whole",
        "an answer in the model's own words may be right",
    )


class ServedTarget(Model):
    """A model to serve. What answers for it is seen by the target, where `engine` does not say it."""

    target: Annotated[
        str,
        Field(
            min_length=1,
            description="A run folder, a base model by name, a .gguf file, an embedder, or a model of another"
            " server: https://HOST/v1#MODEL.",
        ),
    ]
    id: str = default(
        "", "What clients call it", "base, or base:run", pattern=r"^[\w.:/@-]{0,128}$"
    )
    engine: EngineKind | None = default(
        None, "What answers", "remote for an address, llamacpp for a .gguf file, else native"
    )
    draft_model: str = default(
        "",
        "A smaller model of the same vocabulary that guesses tokens ahead, of a base model and all its runs",
        "the prompt alone is searched for guesses",
    )
    remote: RemoteSettings = default(RemoteSettings(), "For engine remote", "one server, no key")
    llamacpp: LlamacppSettings = default(
        LlamacppSettings(), "For engine llamacpp", "measured threads"
    )
    settings: dict[str, Any] = default(  # Any: free JSON, which that engine checks
        {}, "For an engine of another package, as it says", "its own defaults"
    )
    documents: Annotated[str, Field(min_length=1)] | DocumentsSpec | None = default(
        None,
        "What it answers from, with citations: an index of `finewright rag`, or a spec with `rag`",
        "it answers by itself",
    )

    @property
    def sources(self) -> DocumentsSpec | None:
        """Its documents, where it has some."""
        given = self.documents
        return DocumentsSpec(index=given) if isinstance(given, str) else given

    @property
    def kind(self) -> EngineKind:
        """What answers."""
        if self.engine is not None:
            return self.engine
        if "://" in self.target:
            return "remote"
        if self.target in plugins.names("embedder"):
            return "embedder"
        return "llamacpp" if self.target.endswith(".gguf") else "native"

    @model_validator(mode="after")
    def _has_settings_of_its_engine(self) -> Self:
        for kind in ("remote", "llamacpp"):
            if kind in self.model_fields_set and self.kind != kind:
                raise ValueError(
                    f"{kind}: these settings are of engine {kind}, and {self.target} is served by engine"
                    f" {self.kind}; leave them out"
                )
        if self.draft_model and self.kind != "native":
            raise ValueError(
                f"draft_model: only a run or a base model takes one, and {self.target} is served by engine"
                f" {self.kind}; name it of one model alone, in a spec: {{target: ..., draft_model: ...}}"
            )
        is_ours = self.kind in OWN_ENGINES
        if self.documents and (self.kind == "embedder" or not (is_ours or self.id)):
            what = "it gives vectors, no answers" if self.kind == "embedder" else "give it an id"
            raise ValueError(f"documents: {self.target}: {what}")
        if is_ours and self.settings:
            raise ValueError(f"settings: are for an engine of another package, not for {self.kind}")
        if is_ours and (self.kind == "remote") != ("://" in self.target):
            raise ValueError(f"engine {self.kind} does not answer for {self.target}")
        return self


class TlsSpec(Model):
    """PEM files."""

    certificate: Annotated[str, Field(min_length=1, description="The certificate with its chain.")]
    key: Annotated[str, Field(min_length=1, description="Its private key.")]


class JobsSpec(Model):
    """Files and fine-tuning jobs over the API, for keys of the roles train and admin."""

    at_once: int = default(
        1,
        "Jobs that train at once; 0 takes none, and has no such routes",
        "a job uses all cores",
        ge=0,
    )
    trainable: tuple[Annotated[str, Field(min_length=1)], ...] = default(
        (), "Base models that may be trained beside those that are served", "those alone"
    )
    file_bytes: int = default(
        512 * 2**20, "Largest file that is uploaded", "OpenAI's own bound", ge=1024, le=2**40
    )
    processes: int = default(
        256, "Processes that a job may have", "training is one; none needs so many", ge=1
    )
    memory_gib: float | None = default(
        None,
        "Memory that a job may write to",
        "three quarters of the machine's: who answers keeps the rest",
        gt=0,
    )
    hours: float = default(
        72.0,
        "Longest time of a job at a stretch; then it fails, and can be resumed",
        "a weekend",
        gt=0,
    )
    loaded: int = default(
        8,
        "Results of jobs that stay loaded; another is loaded when it is asked",
        "adapters are small; results of all weights may need fewer",
        ge=1,
    )


class LimitsSpec(Model):
    """Where it is counted what keys take of their limits."""

    store: str = default(
        "usage.sqlite",
        "A file in serve.folder, :memory:, or an address of Redis or Valkey, which several gateways share",
        "counts outlive the server, and one machine needs no other",
        min_length=1,
    )
    when_away: Literal["closed", "open"] = default(
        "closed",
        "While it cannot be reached: refuse keys that have limits with 503, or let them ask uncounted",
        "a limit that is not kept is none",
    )


class AuditSpec(Model):
    """An audit of all requests, in serve.folder, whose lines cannot be changed unseen."""

    words: bool = default(
        False, "The words of questions and answers, not their SHA-256 alone", "they are personal"
    )
    every: int = default(
        100, "Lines after which a head is signed", "what could be cut off unseen", ge=1
    )
    seconds: float = default(60.0, "Seconds after which a head is signed", "the same", gt=0)
    sync: bool = default(
        False,
        "Wait for the disk, so that a power cut loses no line, not for the system alone",
        "a killed server loses none either way, and a disk takes 2 ms and more for each answer",
    )
    daily: bool = default(
        False, "A file for each day, UTC; the chain goes on from file to file", "one file"
    )
    megabytes: int | None = default(
        None, "Size from which another file begins; the chain goes on", "one file", ge=1
    )


class ResponsesSpec(Model):
    """Responses that are kept in serve.folder, so that others can go on from them."""

    days: float = default(30.0, "Days until a response is deleted", "OpenAI's own", gt=0)
    megabytes: int = default(
        100,
        "Size of a project's responses; beyond it the oldest are deleted",
        "a year of one user",
        ge=1,
    )


class WatermarkSpec(Model):
    """A mark in all answers of native models, which `finewright watermark` finds."""

    share: float = default(
        0.25, "Share of the tokens that are preferred after another", "arXiv:2301.10226", gt=0, lt=1
    )
    bias: float = default(
        2.0,
        "What is added to their logits; more marks shorter texts, and costs words",
        "the same",
        gt=0,
        le=10,
    )


class ServeSpec(Model):
    """A server: models, an address, keys and bounds."""

    models: tuple[Annotated[str, Field(min_length=1)] | ServedTarget, ...] = default(
        (), "Runs and base models to serve", "those of the command line"
    )
    host: str = default("127.0.0.1", "Address to listen at", "this machine alone", min_length=1)
    port: int = default(8000, "Port to listen at; 0 takes a free one", "vLLM's", ge=0, le=65535)
    tls: TlsSpec | None = default(
        None, "HTTPS with these files", "on one machine nobody listens in"
    )
    keys: Literal["required", "none"] = default(
        "required", "Must a request bring a key?", "whoever reaches the port would use the models"
    )
    limits: LimitsSpec = default(
        LimitsSpec(), "Counts of the keys' limits", "one server, in a file"
    )
    audit: AuditSpec | None = default(
        None, "Write down who asked what, and how it ended", "the log has no word of it either"
    )
    cors: tuple[Annotated[str, Field(pattern=r"^(\*|https?://[^/\s*]+)$")], ...] = default(
        (),
        "Origins whose pages a browser lets ask, as https://app.example.com; * is every one",
        "a key in a page is everybody's who sees it",
    )
    disclosure: str = default(
        "This text was written by a machine.",
        "What answers say in their metadata, beside the header AI-Disclosure; empty: neither",
        "the EU AI Act, Article 50, asks for a mark that programs can read",
        max_length=500,
    )
    folder: str = default(
        "serve", "Folder of the keys and of what the server writes", "beside the spec", min_length=1
    )
    max_tokens: int = default(1024, "Longest answer in tokens", "an answer, no book", ge=1)
    temperature: float = default(
        0.0, "For requests that name none", "greedy, as it was measured", ge=0, le=2
    )
    at_once: int = default(
        16, "Answers of native models that are computed at once", "a CPU's caches", ge=1, le=1024
    )
    waiting: int = default(32, "Questions that wait; more get 429", "memory stays bounded", ge=0)
    waiting_seconds: float = default(
        30.0, "Longest wait for a slot; then 503", "nobody waits more", gt=0
    )
    answer_seconds: float = default(
        600.0, "Longest answer; then it is cut", "OpenAI's clients'", gt=0
    )
    body_bytes: int = default(
        4 * 2**20, "Largest body of a request", "a million tokens of text", ge=1024, le=2**30
    )
    header_seconds: float = default(
        10.0, "Longest wait for the headers of a request", "nobody types them", gt=0
    )
    body_seconds: float = default(
        30.0, "Longest wait for the body of a request", "4 MiB over a slow line", gt=0
    )
    jobs: JobsSpec = default(JobsSpec(), "Fine-tuning jobs", "one at a time")
    runs: str = default(
        "", "Folder whose runs POST /v1/models may load, by their names", "no run is loaded later"
    )
    commands: str = default(
        "",
        "Folder in which POST /v1/commands/NAME runs commands, what reads for every key and what writes for"
        " keys of the role admin",
        "a key of a model is no key to files",
    )
    command_seconds: float = default(
        120.0, "Longest time of such a command; then it is ended", "a request, no job", gt=0
    )
    guards: tuple[GuardSpec, ...] = default(
        (), "What looks at questions and answers, in this order", "no text is looked at"
    )
    responses: ResponsesSpec | None = default(
        None,
        "Keep responses of /v1/responses, for `previous_response_id`, unless a request has `store: false`",
        "no word of a client lies on a disk",
    )
    watermark: WatermarkSpec | None = default(
        None,
        "A mark in the words of answers, of native models alone",
        "it changes answers a little",
    )
    theft: TheftSpec | None = default(
        None,
        "An alarm for keys whose questions are not like harmless ones",
        "it needs harmless ones",
    )
    alarms: AlarmsSpec | None = default(
        None, "A webhook for alarms", "they are in the log, the audit and /metrics"
    )
    log: Literal["error", "warning", "info", "debug"] = default(
        "info", "What the log says; debug has a line for each request", "refusals, jobs, signals"
    )
    spans: str = default(
        "",
        "OpenTelemetry's exporter that gets a span of every answer, as otlp_proto_http or console",
        "nobody is sent anything",
        pattern=r"^\w{0,64}$",
    )
    drain_seconds: float = default(
        30.0, "Time to end answers after SIGTERM", "Kubernetes' own", ge=0
    )

    @field_validator("host")
    @classmethod
    def _is_an_address(cls, host: str) -> str:
        if host not in _LOCAL:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                what = f"{host!r} is no address; 127.0.0.1 is this machine, 0.0.0.0 every network"
                raise ValueError(what) from None
        return host

    @model_validator(mode="after")
    def _marks_all(self) -> Self:
        """A mark that some answers lacked would prove nothing."""
        targets = [ServedTarget(target=t) if isinstance(t, str) else t for t in self.models]
        for target in targets if self.watermark else ():
            if target.kind not in ("native", "embedder"):
                raise ValueError(
                    f"watermark: {target.target} is served by engine {target.kind}, whose choice of tokens is"
                    " not ours to mark; serve it without, or from another server"
                )
        return self

    @model_validator(mode="after")
    def _open_to_this_machine_alone(self) -> Self:
        local = self.host in _LOCAL or ipaddress.ip_address(self.host).is_loopback
        if self.keys == "none" and not local:
            raise ValueError(f"keys: none serves whoever reaches {self.host}; leave keys out")
        return self
