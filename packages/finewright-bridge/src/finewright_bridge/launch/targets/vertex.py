"""Vertex AI: a CustomJob that runs this run, and the body of its own tuning, where the method allows it."""

import json
from collections.abc import Iterator, Mapping

import yaml

from finewright.data.gather import gather
from finewright.errors import SpecError
from finewright.schema.adapter import LoraSpec
from finewright.schema.load import LoadedSpec
from finewright.schema.methods import SFTSpec
from finewright.store.stage import refuse
from finewright_bridge.launch.launcher import (
    LauncherPlugin,
    LaunchPlan,
    PlaceRule,
    TargetValue,
    Written,
)
from finewright_bridge.launch.machine import gpu_names

_BUCKET = PlaceRule(
    r"gs://[a-z0-9][\w.-]+(/[\w./-]*)?", "a bucket: gs://NAME or gs://NAME/FOLDER", "always"
)
_IMAGE = "python:3.13-slim"
"""Any image with Python does: torch brings CUDA, and the machine the driver."""
_ADAPTER_SIZES = {1: "ONE", 2: "TWO", 4: "FOUR", 8: "EIGHT", 16: "SIXTEEN", 32: "THIRTY_TWO"}
"""LoRA's rank -> what SupervisedHyperParameters calls it."""
_TUNED = {
    "google/gemma-3-27b-it": "google/gemma-3-27b-it",
    "meta-llama/Llama-3.1-8B": "meta/llama3_1@llama-3.1-8b",
    "meta-llama/Llama-3.1-8B-Instruct": "meta/llama3_1@llama-3.1-8b-instruct",
    "meta-llama/Llama-3.2-1B-Instruct": "meta/llama3-2@llama-3.2-1b-instruct",
    "meta-llama/Llama-3.2-3B-Instruct": "meta/llama3-2@llama-3.2-3b-instruct",
    "meta-llama/Llama-3.3-70B-Instruct": "meta/llama3-3@llama-3.3-70b-instruct",
    "Qwen/Qwen3-32B": "qwen/qwen3@qwen3-32b",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": "meta/llama4@llama-4-scout-17b-16e-instruct",
}
"""Hub id -> Vertex's name, of https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/open-model-tuning
(read 2026-12-02)."""
_ROWS = "train.jsonl"


def write_vertex(plan: LaunchPlan) -> Written:
    """A CustomJob; the bucket is a folder there (/gcs), which takes the upload and gives back the run."""
    folder = f"{plan.place.rstrip('/')}/{plan.job}"
    mounted = "/gcs/" + folder.removeprefix("gs://")
    accelerator, machine = gpu_names("vertex")[plan.machine.gpu]
    script = (
        f"cp -r {mounted}/upload /tmp/upload && FINEWRIGHT_RUNS=/tmp/runs FINEWRIGHT_PLACE={mounted}/runs"
        " exec bash /tmp/upload/run.sh"
    )
    scheduling: dict[str, object] = {"restartJobOnWorkerRestart": True}
    if plan.is_spot:
        scheduling["strategy"] = "SPOT"
    if plan.limit_s:
        scheduling["timeout"] = f"{plan.limit_s}s"
    spec = {
        "workerPoolSpecs": [
            {
                "machineSpec": {
                    "machineType": plan.values["machine_type"] or machine,
                    "acceleratorType": accelerator,
                    "acceleratorCount": plan.machine.gpus,
                },
                "replicaCount": 1,
                "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 200},
                "containerSpec": {
                    "imageUri": plan.values["image"],
                    "command": ["bash", "-c", script],
                    "env": [
                        {"name": "LD_LIBRARY_PATH", "value": "/usr/local/nvidia/lib64"},
                        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
                        {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "compute,utility"},
                    ],
                },
            }
        ],
        "scheduling": scheduling,
    }
    text = f"# {plan.about}\n" + yaml.safe_dump(spec, sort_keys=False, width=1000)
    return Written(
        {"job.yaml": text},
        (
            ("gcloud", "storage", "cp", "--recursive", "upload", f"{folder}/"),
            (
                *("gcloud", "ai", "custom-jobs", "create", "--region", plan.values["region"]),
                *("--display-name", plan.job, "--config", "job.yaml"),
            ),
        ),
        (f"the run comes back as {folder}/runs/runs.tar",),
    )


def tuning_rows(loaded: LoadedSpec) -> Mapping[str, str]:
    """The rows that train, as the service takes them. Raises SpecError where the service cannot do the run,
    with every reason, and DataError for rows that cannot be read."""
    if reasons := list(_unfit(loaded)):
        raise SpecError(
            f"Vertex's own tuning cannot do this run: {'; '.join(reasons)}",
            hint="--to vertex trains it as it is, on a machine there",
        )
    gathered = gather(loaded.spec.data, loaded.resolve, tells=False)
    refuse(gathered.problems)
    lines = []
    for row in gathered.train:
        messages = [dict(message) for message in row.messages]
        lines.append(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    return {_ROWS: "".join(lines)}


def _unfit(loaded: LoadedSpec) -> Iterator[str]:
    """Every reason why the service would train something else than the spec says."""
    spec, train = loaded.spec, loaded.spec.train
    if not isinstance(train, SFTSpec):
        yield f"it does supervised fine-tuning of open models alone, not {train.method}"
        return
    if not isinstance(train.adapter, LoraSpec):
        yield f"it trains LoRA, not an adapter of the type {train.adapter.type}"
    elif train.adapter.r not in _ADAPTER_SIZES:
        sizes = ", ".join(map(str, _ADAPTER_SIZES))
        yield f"it takes the ranks {sizes}, not {train.adapter.r}"
    if len(spec.base_models) != 1 or spec.base_models[0] not in _TUNED:
        yield f"it tunes one of {', '.join(_TUNED)}, not {', '.join(spec.base_models)}"
    if train.max_steps or train.minutes:
        yield "it counts passes over the data: set train.epochs, not max_steps or minutes"
    elif train.epochs != round(train.epochs):
        yield f"it takes whole epochs, not {train.epochs:g}"


def write_vertex_tuning(plan: LaunchPlan) -> Written:
    """The body of `tuningJobs.create` (v1beta1), and the commands that send rows and body."""
    folder = f"{plan.place.rstrip('/')}/{plan.job}"
    train = plan.loaded.spec.train
    assert isinstance(train, SFTSpec)
    assert isinstance(train.adapter, LoraSpec)
    body = {
        "baseModel": _TUNED[plan.loaded.spec.base_models[0]],
        "tunedModelDisplayName": plan.job,
        "outputUri": f"{folder}/output",
        "supervisedTuningSpec": {
            "trainingDatasetUri": f"{folder}/upload/{_ROWS}",
            "tuningMode": "TUNING_MODE_PEFT_ADAPTER",
            "hyperParameters": {
                "epochCount": str(round(train.epochs)),
                "learningRate": train.learning_rate,
                "adapterSize": f"ADAPTER_SIZE_{_ADAPTER_SIZES[train.adapter.r]}",
            },
        },
    }
    region, project = plan.values["region"], plan.values["project"]
    url = f"https://{region}-aiplatform.googleapis.com/v1beta1/projects/{project}/locations/{region}/tuningJobs"
    post = (
        'curl --fail-with-body --header "Authorization: Bearer $(gcloud auth print-access-token)"'
        f' --header "Content-Type: application/json" --data @tuning.json {url}'
    )
    ignored = (
        "the service decides everything else: batch size, schedule, alpha, dropout, length, template; no"
        " part of `evaluate` runs there"
    )
    return Written(
        {"tuning.json": json.dumps(body, indent=2) + "\n"},
        (
            ("gcloud", "storage", "cp", "--recursive", "upload", f"{folder}/"),
            ("bash", "-c", post),
        ),
        (ignored,),
    )


_REGION = TargetValue("the region", "us-central1")
VERTEX = LauncherPlugin(
    "A CustomJob of Vertex AI.",
    write_vertex,
    providers={"gcp": "gcp"},
    gpus="vertex",
    values={
        "region": _REGION,
        "image": TargetValue("the image of the container", _IMAGE),
        "machine_type": TargetValue(
            "the machine, where it is another than the GPU's usual one", ""
        ),
    },
    place=_BUCKET,
    has_spot=True,
    refuses_env="the body of the job would hold the value; read it from Secret Manager",
)
VERTEX_TUNING = LauncherPlugin(
    "The body of Vertex AI's own tuning of open models.",
    write_vertex_tuning,
    values={"region": _REGION, "project": TargetValue("the project that pays")},
    place=_BUCKET,
    refuses_env="the service runs no code of yours",
    refuses_limit="the service asks by the token, and takes no limit",
    contents=tuning_rows,
)
