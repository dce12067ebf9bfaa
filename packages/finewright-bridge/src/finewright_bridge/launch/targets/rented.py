"""SkyPilot and dstack: one file each, for the clouds behind them (AWS, GCP, Azure, Lambda, RunPod, Vast.ai).

Both read their own credentials; a variable is named, and its value taken where the command is typed."""

import yaml

from finewright_bridge.launch.launcher import LauncherPlugin, LaunchPlan, PlaceRule, Written
from finewright_bridge.launch.machine import gpu_names

_DISK_GB = 100
"""torch for CUDA takes 8, a base model of 8 billion parameters 16, its checkpoints with LoRA little."""
_DSTACK_BYTES = 2 * 2**20
"""What dstack's server takes by default: DSTACK_SERVER_CODE_UPLOAD_LIMIT."""
_CLOUDS = {
    "aws": "aws",
    "azure": "azure",
    "gcp": "gcp",
    "lambda": "lambda",
    "nebius": "nebius",
    "oci": "oci",
    "runpod": "runpod",
    "vast": "vast",
}
"""Provider of the catalog -> SkyPilot's name (its `infra`)."""
_BACKENDS = {**_CLOUDS, "vast": "vastai", "verda": "verda", "vultr": "vultr"}
"""The same of dstack (its `backends`)."""


def write_skypilot(plan: LaunchPlan) -> Written:
    """A managed job: SkyPilot starts it anew where a spot machine was taken away, and ends the machine."""
    cloud = _CLOUDS[plan.machine.provider]
    gpus = gpu_names("skypilot") | (gpu_names("runpod") if cloud == "runpod" else {})
    task: dict[str, object] = {
        "name": plan.job,
        "resources": {
            "infra": cloud,
            "accelerators": f"{gpus[plan.machine.gpu]}:{plan.machine.gpus}",
            "use_spot": plan.is_spot,
            "disk_size": _DISK_GB,
        },
        "workdir": "upload",
    }
    environment = {"FINEWRIGHT_RUNS": "~/runs"}
    if plan.place:
        # rclone's cache takes every write, and the bucket gets whole files: the archive of the run.
        source = {"source": f"{plan.place.rstrip('/')}", "mode": "MOUNT_CACHED"}
        task["file_mounts"] = {"/finewright": source}
        environment["FINEWRIGHT_PLACE"] = f"/finewright/{plan.job}"
    if plan.env:
        task["secrets"] = dict.fromkeys(plan.env)
    exports = " ".join(f"{name}={value}" for name, value in environment.items())
    task["run"] = f"export {exports}\nbash run.sh\n"
    secrets = [word for name in plan.env for word in ("--secret", name)]
    launch = ("sky", "jobs", "launch", "--yes", *secrets, "sky.yaml")
    notes = (
        []
        if plan.place
        else ["the machine and the run on it are gone at the end: --place keeps it"]
    )
    return Written({"sky.yaml": _yaml(plan, task)}, (launch,), tuple(notes))


def write_dstack(plan: LaunchPlan) -> Written:
    """A task; with a volume its run outlives the machine."""
    names, memory = gpu_names("dstack"), gpu_names("memory")
    gpu = plan.machine.gpu
    price = plan.machine.usd_per_hour or 0.0
    task: dict[str, object] = {
        "type": "task",
        "name": plan.job,
        "python": "3.12",
        "files": ["upload:/workflow/upload"],
        "commands": [
            "FINEWRIGHT_RUNS=${FINEWRIGHT_RUNS:-/workflow/runs} bash /workflow/upload/run.sh"
        ],
        "backends": [_BACKENDS[plan.machine.provider]],
        "resources": {
            "gpu": {"name": names[gpu], "memory": f"{memory[gpu]}GB", "count": plan.machine.gpus},
            "disk": f"{_DISK_GB}GB..",
        },
        "spot_policy": "spot" if plan.is_spot else "on-demand",
        # A tenth above what `cost` reckons with: prices move, and a far dearer offer is not taken.
        "max_price": round(price * 1.1, 4),
        "creation_policy": "reuse-or-create",
        "idle_duration": "5m",
    }
    if not price:
        del task["max_price"]
    environment = list(plan.env)
    if plan.place:
        environment.append("FINEWRIGHT_RUNS=/finewright/runs")
        task["volumes"] = [f"{plan.place}:/finewright"]
        task["retry"] = {"on_events": ["no-capacity", "interruption"], "duration": "1d"}
    if environment:
        task["env"] = environment
    if plan.limit_s:
        task["max_duration"] = f"{plan.limit_s}s"
    notes = [] if plan.place else ["the run is gone with the machine: --place VOLUME keeps it"]
    if plan.num_bytes > _DSTACK_BYTES:
        notes.append(
            f"the upload has {plan.num_bytes / 2**20:.1f} MiB, and dstack's server takes 2 unless"
            " DSTACK_SERVER_CODE_UPLOAD_LIMIT is set there"
        )
    apply = ("dstack", "apply", "--yes", "--file", "task.dstack.yml")
    return Written({"task.dstack.yml": _yaml(plan, task)}, (apply,), tuple(notes))


def _yaml(plan: LaunchPlan, task: dict[str, object]) -> str:
    return f"# {plan.about}\n" + yaml.safe_dump(task, sort_keys=False, width=1000)


SKYPILOT = LauncherPlugin(
    "A task of SkyPilot.",
    write_skypilot,
    providers=_CLOUDS,
    gpus="skypilot",
    place=PlaceRule(
        r"(s3|gs|r2|cos)://[a-z0-9][\w.-]+(/[\w./-]*)?", "a bucket, s3://NAME or gs://NAME"
    ),
    has_spot=True,
)
DSTACK = LauncherPlugin(
    "A task of dstack.",
    write_dstack,
    providers=_BACKENDS,
    gpus="dstack",
    place=PlaceRule(
        r"[a-z][a-z0-9-]{1,60}", "the name of a volume (dstack apply of a volume makes one)"
    ),
    has_spot=True,
)
