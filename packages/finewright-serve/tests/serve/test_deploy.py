"""The files of examples/deploy are what compose and Kubernetes read, and fit each other and the server."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema.validators import validator_for

from finewright_serve.gateway.app import OPEN
from finewright_serve.spec import ServeSpec
from serve.serving import started, stop

kubernetes_validate = pytest.importorskip("kubernetes_validate")
DEPLOY = Path(__file__).parents[4] / "examples" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OBJECTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def kubernetes(kind: str, name: str) -> dict[str, Any]:
    (found,) = (o for o in OBJECTS if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def pod(kind: str, name: str) -> dict[str, Any]:
    return kubernetes(kind, name)["spec"]["template"]["spec"]


GATEWAY, VLLM = pod("Deployment", "finewright-gateway"), pod("StatefulSet", "vllm")
SPECS = {
    "compose": (DEPLOY / "serve.yaml").read_text(),
    "kubernetes": kubernetes("ConfigMap", "finewright-gateway")["data"]["serve.yaml"],
}


def spec_of(name: str) -> ServeSpec:
    return ServeSpec.model_validate(yaml.safe_load(SPECS[name])["serve"])


def addresses(name: str) -> list[str]:
    (model,) = spec_of(name).models
    assert not isinstance(model, str)
    return [model.target.partition("#")[0], *model.remote.also]


def test_the_gateways_know_every_model_server_by_its_address() -> None:
    services = [name for name in COMPOSE["services"] if name.startswith("vllm")]
    assert addresses("compose") == [f"http://{name}:8000/v1" for name in services]
    vllm = kubernetes("StatefulSet", "vllm")["spec"]
    pods = [f"http://vllm-{i}.{vllm['serviceName']}:8000/v1" for i in range(vllm["replicas"])]
    assert addresses("kubernetes") == pods
    assert kubernetes("Service", "vllm")["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("name", SPECS)
def test_the_model_is_called_what_vllm_calls_it(name: str) -> None:
    (model,) = spec_of(name).models
    arguments = (
        COMPOSE["services"]["vllm-1"]["command"]
        if name == "compose"
        else VLLM["containers"][0]["args"]
    )
    called = arguments[arguments.index("--served-model-name") + 1]
    assert model.target.partition("#")[2] == called
    assert arguments[arguments.index("--port") + 1] == "8000"
    assert (spec_of(name).port, spec_of(name).keys) == (8000, "required")


def mistakes(compose: object) -> list[str]:
    """By the compose specification's own schema."""
    folder = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text())
    return [error.message for error in validator_for(schema)(schema).iter_errors(compose)]


def test_the_compose_file_is_one() -> None:
    assert not mistakes(COMPOSE)
    assert mistakes({**COMPOSE, "services": {"door": {"image": "nginx", "depend_on": ["x"]}}})


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_every_object_is_one_of_kubernetes(version: str) -> None:
    for each in OBJECTS:
        kubernetes_validate.validate(each, version, strict=True)
    wrong = {**OBJECTS[1], "spec": {**OBJECTS[1]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_every_image_is_of_one_version() -> None:
    images = [s["image"] for s in COMPOSE["services"].values()]
    images += [c["image"] for p in (GATEWAY, VLLM) for c in p["containers"]]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(r":v?\d+\.\d+", image) for image in images)


def test_probes_ask_what_the_server_answers_without_a_key() -> None:
    (gateway,) = GATEWAY["containers"]
    probes = {k: v["httpGet"]["path"] for k, v in gateway.items() if k.endswith("Probe")}
    assert set(probes.values()) <= OPEN
    assert probes["readinessProbe"] == "/readyz"
    assert "/readyz" in COMPOSE["services"]["gateway-1"]["healthcheck"]["test"][-1]


def test_a_gateway_is_given_the_time_to_drain() -> None:
    assert GATEWAY["terminationGracePeriodSeconds"] > spec_of("kubernetes").drain_seconds + 2
    grace = int(COMPOSE["services"]["gateway-1"]["stop_grace_period"].removesuffix("s"))
    assert grace > spec_of("compose").drain_seconds + 2


def test_no_file_holds_a_secret() -> None:
    assert not [o for o in OBJECTS if o["kind"] == "Secret"]
    for each in (GATEWAY, VLLM):
        keys = [e for e in each["containers"][0]["env"] if "KEY" in e["name"]]
        assert keys
        assert all("secretKeyRef" in e["valueFrom"] for e in keys)
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "KEY" not in name or value.startswith("${")
    for name in SPECS:
        (model,) = spec_of(name).models
        assert model.remote.key_env == "VLLM_API_KEY"


def test_a_gateway_starts_before_the_model_servers_and_is_not_ready(tmp_path: Path) -> None:
    spec = SPECS["compose"].replace("/home/server/serve", "serve")
    sets = ("serve.host=127.0.0.1", "serve.port=0", "serve.spans=console")
    environ = {"VLLM_API_KEY": "k", "FINEWRIGHT_OFFLINE": "0", "HF_HUB_OFFLINE": "0"}
    found = started(tmp_path, spec=spec, sets=sets, environ=environ)
    try:
        assert found.client.models.retrieve("house").engine == "remote"
        codes = [
            httpx.get(httpx.URL(found.url).join(path)).status_code
            for path in ("/healthz", "/readyz")
        ]
        assert codes == [200, 503]
    finally:
        stop(found)


def test_the_folder_of_keys_is_where_they_are_mounted() -> None:
    (gateway,) = GATEWAY["containers"]
    mounts = {m["mountPath"] for m in gateway["volumeMounts"]}
    assert f"{spec_of('kubernetes').folder}/keys.json" in mounts
    volumes = [v.split(":")[1] for v in COMPOSE["services"]["gateway-1"]["volumes"]]
    assert f"{spec_of('compose').folder}/keys.json" in volumes
    assert "/etc/finewright/serve.yaml" in volumes


def test_only_gateways_reach_the_model_servers_and_answers_are_not_held_back() -> None:
    assert COMPOSE["networks"]["models"]["internal"] is True
    assert COMPOSE["services"]["vllm-1"]["networks"] == ["models"]
    assert all(p.startswith("127.0.0.1:") for p in COMPOSE["services"]["door"]["ports"])
    policy = kubernetes("NetworkPolicy", "vllm")["spec"]
    (source,) = policy["ingress"][0]["from"]
    assert source["podSelector"]["matchLabels"] == {"app": "finewright-gateway"}
    assert policy["egress"] == []
    assert "proxy_buffering off;" in (DEPLOY / "nginx.conf").read_text()
