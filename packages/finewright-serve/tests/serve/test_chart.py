"""The chart of examples/deploy, rendered by Helm and held against Kubernetes' schemas and the server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from finewright_serve.spec import ServeSpec

kubernetes_validate = pytest.importorskip("kubernetes_validate")
BESIDE_PYTHON = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
HELM = shutil.which("helm", path=BESIDE_PYTHON)
pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not installed")
CHART = Path(__file__).parents[4] / "examples" / "deploy" / "chart"
OF_A_RUN = ("--set", "serve.models={/runs/bot}", "--set", "runs=models", "--set", "gpus=1")
GATEWAY = (
    "--set-json",
    'serve.models=[{"target": "http://vllm:8000/v1#m", "id": "m", "remote": {"key_env": "VLLM_API_KEY"}}]',
    *("--set", "env={VLLM_API_KEY}", "--set-json", 'clients={"app": "web"}'),
)  # fmt: skip
ALONE = ("--set", "work=notes", "--set", "replicas=1", "--set-json", 'serve.audit={"words": false}')
KINDS = {"run": OF_A_RUN, "gateway": GATEWAY, "audited": (*OF_A_RUN, *ALONE)}


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    assert HELM
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


def rendered(*values: str) -> dict[str, dict[str, Any]]:
    done = helm("template", "bank", str(CHART), *values)
    assert not done.returncode, done.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("kind", KINDS)
def test_helm_finds_no_fault_and_every_object_is_one_of_kubernetes(kind: str) -> None:
    linted = helm("lint", "--strict", str(CHART), *KINDS[kind])
    assert not linted.returncode, linted.stdout
    for each in rendered(*KINDS[kind]).values():
        for version in ("1.30", "1.37"):
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_reads_the_spec_and_finds_what_it_names(kind: str) -> None:
    objects = rendered(*KINDS[kind])
    spec = ServeSpec.model_validate(
        yaml.safe_load(objects["ConfigMap"]["data"]["serve.yaml"])["serve"]
    )
    (server,) = pod(objects)["containers"]
    (link,) = pod(objects)["initContainers"]
    mounts = {mount["mountPath"] for mount in server["volumeMounts"]}
    assert spec.host == "0.0.0.0"  # noqa: S104 - of the pod
    assert spec.port == server["ports"][0]["containerPort"]
    assert spec.folder in mounts
    assert server["args"][-1] == "/etc/finewright/serve.yaml"
    assert link["command"][-2:] == ["/etc/finewright-keys/keys.json", f"{spec.folder}/keys.json"]
    assert "/etc/finewright-keys" in mounts
    assert ("/runs" in mounts) is (kind != "gateway")
    assert pod(objects)["terminationGracePeriodSeconds"] > spec.drain_seconds + 2


def test_no_container_is_root_or_writes_to_its_image() -> None:
    found = pod(rendered(*OF_A_RUN))
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["automountServiceAccountToken"] is False
    for container in (*found["containers"], *found["initContainers"]):
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"] is True
        assert confined["allowPrivilegeEscalation"] is False
        assert confined["capabilities"] == {"drop": ["ALL"]}


def test_a_gateways_key_comes_from_the_secret_and_only_named_pods_ask() -> None:
    objects = rendered(*GATEWAY)
    (server,) = pod(objects)["containers"]
    (key,) = (each for each in server["env"] if each["name"] == "VLLM_API_KEY")
    assert key["valueFrom"]["secretKeyRef"] == {"name": "finewright", "key": "VLLM_API_KEY"}
    (source,) = objects["NetworkPolicy"]["spec"]["ingress"][0]["from"]
    assert source["podSelector"]["matchLabels"] == {"app": "web"}
    assert objects["PodDisruptionBudget"]["spec"]["minAvailable"] == 1


def test_gpus_are_asked_for_and_an_audit_outlives_its_pod() -> None:
    objects = rendered(*KINDS["audited"])
    (server,) = pod(objects)["containers"]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == 1
    (work,) = (v for v in pod(objects)["volumes"] if v["name"] == "work")
    assert work["persistentVolumeClaim"] == {"claimName": "notes"}
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((), "serve.models: no model to serve"),
        ((*OF_A_RUN, "--set-json", 'serve.audit={"words": true}'), "serve.audit: the audit would end"),
        ((*OF_A_RUN, "--set", "work=notes"), "replicas: one server writes `work`"),
        ((*OF_A_RUN, "--set", "serve.limits.store=usage.sqlite"), "serve.limits.store: several pods"),
        ((*OF_A_RUN, "--set", "replica=2"), "replica"),
        ((*OF_A_RUN, "--set", "serve.port=9000"), "port"),
        ((*OF_A_RUN, "--set", "env={A-B}"), "env"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(values: tuple[str, ...], line: str) -> None:
    done = helm("template", "bank", str(CHART), *values)
    assert done.returncode == 1
    assert line in done.stderr
    assert not done.stdout
