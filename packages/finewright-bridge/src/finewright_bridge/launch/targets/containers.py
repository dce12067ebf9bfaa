"""An image with the upload in it, and what runs it: compose, a Job of Kubernetes, a TrainJob of Kubeflow.

The container is not root, and its file system is read-only but for /tmp and the volume of the runs. It holds
no secret: those come by their names from the environment, on Kubernetes from a Secret."""

from collections.abc import Mapping

import yaml

from finewright_bridge.launch.launcher import (
    LauncherPlugin,
    LaunchPlan,
    PlaceRule,
    TargetValue,
    Written,
)

_USER = 10001
_SCRATCH, _SHARED = "/tmp", "/dev/shm"  # noqa: S108 - of the container, empty at its start
_GRACE_S = 300
"""How long a stopped run may write its checkpoint."""
_RETRIES = 6
_BAD_INPUT = (2, 124)
"""Exit codes after which a new attempt does the same: finewright's of wrong input, and of the limit."""
_TRAINER = "node"
"""What Kubeflow's `torch-distributed` runtime calls its container and its job."""
_CLAIM = PlaceRule(
    r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "the name of a PersistentVolumeClaim; default: a new one"
)


def dockerfile(plan: LaunchPlan) -> str:
    """finewright and the upload, for the user `job`."""
    # The kernels for processors are compiled at first use, and without a compiler left out.
    compiler = (
        ""
        if plan.machine.gpus
        else "apt-get update && apt-get install -y --no-install-recommends g++ && "
    )
    return f"""\
# {plan.about}
FROM python:3.13-slim
COPY upload /job
WORKDIR /job
RUN {compiler}pip install --no-cache-dir --requirement requirements.txt && \\
    useradd --uid {_USER} job && mkdir /runs && chown job /runs
ENV FINEWRIGHT_PYTHON=ready FINEWRIGHT_RUNS=/runs HOME={_SCRATCH} \\
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER {_USER}
ENTRYPOINT ["bash", "/job/run.sh"]
"""


def write_compose(plan: LaunchPlan) -> Written:
    """One service, which is started again until the run is done."""
    service: dict[str, object] = {
        "build": ".",
        "image": f"{plan.job}:latest",
        "volumes": ["runs:/runs"],
        "read_only": True,
        "tmpfs": [f"{_SCRATCH}:exec"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": f"on-failure:{_RETRIES}",
        "stop_grace_period": f"{_GRACE_S}s",
        "shm_size": "2gb",
    }
    if plan.env:
        service["environment"] = list(plan.env)
    if plan.machine.gpus:
        device = {"driver": "nvidia", "count": plan.machine.gpus, "capabilities": ["gpu"]}
        service["deploy"] = {"resources": {"reservations": {"devices": [device]}}}
    compose = {"name": plan.job, "services": {"run": service}, "volumes": {"runs": {}}}
    copy = f"docker compose cp run:/runs . (in the folder) copies the run out of the volume {plan.job}_runs"
    return Written(
        {**_image(plan), "compose.yaml": _yaml(plan, compose)},
        (("docker", "compose", "up", "--build"),),
        (copy,),
    )


def write_kubernetes(plan: LaunchPlan) -> Written:
    """A Job: a pod that is taken away costs no attempt, wrong input ends it at once."""
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": _GRACE_S,
        "securityContext": _pod_security(),
        "containers": [{"name": "run", "image": plan.values["image"], **_container(plan)}],
        "volumes": _volumes(plan),
    }
    spec: dict[str, object] = {
        "backoffLimit": _RETRIES,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": "run",
                        "operator": "In",
                        "values": list(_BAD_INPUT),
                    },
                },
            ]
        },
        "template": {"spec": pod},
    }
    if plan.limit_s:
        spec["activeDeadlineSeconds"] = plan.limit_s
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(plan), "spec": spec}
    return _cluster(plan, job)


def write_trainjob(plan: LaunchPlan) -> Written:
    """A TrainJob (trainer.kubeflow.org/v1alpha1) on one node of the cluster's own runtime."""
    container = _container(plan)
    trainer = {
        "image": plan.values["image"],
        "command": ["bash", "/job/run.sh"],
        "numNodes": 1,
        "numProcPerNode": 1,
        "resourcesPerNode": container["resources"],
        "env": container["env"],
    }
    pod = {
        "securityContext": _pod_security(),
        "terminationGracePeriodSeconds": _GRACE_S,
        "volumes": _volumes(plan),
        "containers": [
            {
                "name": _TRAINER,
                "volumeMounts": container["volumeMounts"],
                "securityContext": container["securityContext"],
            }
        ],
    }
    job_patch = {"name": _TRAINER, "template": {"spec": {"template": {"spec": pod}}}}
    spec: dict[str, object] = {
        "runtimeRef": {"name": plan.values["runtime"]},
        "trainer": trainer,
        "runtimePatches": [
            {
                "manager": "finewright.launch/cli",
                "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [job_patch]}}},
            }
        ],
    }
    if plan.limit_s:
        spec["activeDeadlineSeconds"] = plan.limit_s
    job = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata(plan),
        "spec": spec,
    }
    return _cluster(plan, job)


def _cluster(plan: LaunchPlan, job: Mapping[str, object]) -> Written:
    objects: list[Mapping[str, object]] = [job]
    if not plan.place:
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": _metadata(plan, "-runs"),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": plan.values["storage"]}},
            },
        }
        objects.insert(0, claim)
    image, namespace = plan.values["image"], plan.values["namespace"]
    notes = [
        f"the run is kept in the claim {_claim(plan)}, and a Job that is made anew goes on from it"
    ]
    if plan.env:
        literals = " ".join(f'--from-literal={name}="${name}"' for name in plan.env)
        notes.insert(
            0,
            "first, where the variables are set: kubectl create secret generic"
            f" {plan.job}-env --namespace {namespace} {literals}",
        )
    return Written(
        {**_image(plan), "job.yaml": _yaml(plan, *objects)},
        (
            ("docker", "build", "--tag", image, "."),
            ("docker", "push", image),
            ("kubectl", "apply", "--filename", "job.yaml"),
        ),
        tuple(notes),
    )


def _container(plan: LaunchPlan) -> dict[str, object]:
    """What both kinds of job say of the container, but for its name and image."""
    resources: dict[str, dict[str, object]] = {
        "requests": {"cpu": plan.values["cpus"], "memory": plan.values["memory"]},
        "limits": {"memory": plan.values["memory"]},
    }
    if plan.machine.gpus:
        resources["limits"]["nvidia.com/gpu"] = plan.machine.gpus
    secrets = [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": f"{plan.job}-env", "key": name}},
        }
        for name in plan.env
    ]
    return {
        "resources": resources,
        "env": [{"name": "FINEWRIGHT_RUNS", "value": "/runs"}, *secrets],
        "volumeMounts": [
            {"name": "runs", "mountPath": "/runs"},
            {"name": "tmp", "mountPath": _SCRATCH},
            {"name": "shm", "mountPath": _SHARED},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _pod_security() -> dict[str, object]:
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _volumes(plan: LaunchPlan) -> list[dict[str, object]]:
    return [
        {"name": "runs", "persistentVolumeClaim": {"claimName": _claim(plan)}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
    ]


def _claim(plan: LaunchPlan) -> str:
    return plan.place or f"{plan.job}-runs"


def _metadata(plan: LaunchPlan, suffix: str = "") -> dict[str, str]:
    return {"name": f"{plan.job}{suffix}", "namespace": plan.values["namespace"]}


def _image(plan: LaunchPlan) -> dict[str, str]:
    return {"Dockerfile": dockerfile(plan), ".dockerignore": "*\n!upload\n"}


def _yaml(plan: LaunchPlan, *objects: Mapping[str, object]) -> str:
    text = yaml.safe_dump_all(objects, sort_keys=False, width=1000)
    return f"# {plan.about}\n{text}"


_ON_CLUSTER = {
    "image": TargetValue("the name of the image, in a registry that the cluster reads"),
    "namespace": TargetValue("the namespace", "default"),
    "cpus": TargetValue("processors that are asked for", "4"),
    "memory": TargetValue("memory of the pod", "32Gi"),
    "storage": TargetValue("size of a new claim for the runs", "50Gi"),
}
COMPOSE = LauncherPlugin("A Dockerfile and a compose file.", write_compose)
KUBERNETES = LauncherPlugin(
    "A Job of Kubernetes, and its image.",
    write_kubernetes,
    values=_ON_CLUSTER,
    place=_CLAIM,
)
TRAINJOB = LauncherPlugin(
    "A TrainJob of Kubeflow Trainer 2, and its image.",
    write_trainjob,
    values={
        **_ON_CLUSTER,
        "runtime": TargetValue("the ClusterTrainingRuntime", "torch-distributed"),
    },
    place=_CLAIM,
)
