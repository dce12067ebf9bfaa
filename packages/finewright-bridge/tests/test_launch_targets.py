"""Each file of a launch is read by the tool that it is for: by its parser, its schema or its types.

nbformat, kubernetes-validate and the compose schema are installed with the tests. The others are heavy; on
2 December 2026 their tests passed with skypilot 0.14.1, dstack 0.22.5, google-cloud-aiplatform 2.7.0,
kubeflow-trainer-api 2.3.0, botocore 1.44.8 and simple-slurm 0.3.6."""

import json
import os
import re
import subprocess
import tarfile
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest
import yaml
from jsonschema.validators import validator_for

from finewright import plugins
from finewright_bridge.launch.machine import gpu_names
from launching import NEEDED, PLACES, make_project, start

pytestmark = pytest.mark.torch
TARGETS = plugins.names("launcher")


class Launched:
    """Launches of one project, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.spec = folder, make_project(folder)

    def read(self, target: str, name: str = "", **more: object) -> str:
        """The text of a file, by the end of its name."""
        key = re.sub(r"\W+", "-", f"{target}{sorted(more.items())}")
        out = self.folder / f"out-{key}"
        if not out.exists():
            start(self.spec, target, out, **more)
        (path,) = [path for path in out.rglob("*") if path.name.endswith(name) and path.is_file()]
        return path.read_text()


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    return Launched(tmp_path_factory.mktemp("launch"))


@pytest.mark.parametrize("target", ["colab", "kaggle"])
def test_a_notebook_is_one_and_its_cells_compile(launched: Launched, target: str) -> None:
    notebook = nbformat.reads(launched.read(target, ".ipynb", env=("HF_TOKEN",)), as_version=4)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        compile(cell, target, "exec")
    assert any("upload/run.sh" in cell for cell in cells)
    assert any("'HF_TOKEN'" in cell for cell in cells)


def test_colab_keeps_the_run_on_the_drive_when_asked(launched: Launched) -> None:
    text = launched.read("colab", ".ipynb", place="drive")
    assert re.search(
        r"FINEWRIGHT_PLACE'\] = '/content/drive/MyDrive/finewright/tiny-[0-9a-f]{8}'", text
    )
    assert "drive" not in launched.read("colab", ".ipynb")


def test_kaggle_is_private(launched: Launched) -> None:
    kernel = json.loads(launched.read("kaggle", "kernel-metadata.json"))
    data = json.loads(launched.read("kaggle", "dataset-metadata.json"))
    assert (kernel["is_private"], kernel["enable_gpu"]) == (True, True)
    assert kernel["dataset_sources"] == [data["id"]]
    assert data["id"].startswith("ada/tiny-")


def start_script(launched: Launched, target: str) -> str:
    launched.read(target, ".ipynb")
    path = next(launched.folder.glob(f"out-{target}*/**/*.tar.gz"))
    with tarfile.open(path) as archive:
        member = archive.extractfile("upload/run.sh")
        assert member is not None
        return member.read().decode()


def test_a_machine_of_two_gpus_is_used_as_cost_says_it_is_faster(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For this tiny run by too little to be worth it, unless that counts, too."""
    assert "up work/spec.yaml --runs" in start_script(launched, "kaggle")
    monkeypatch.setattr("finewright_advice.cost.machines._FASTER", 1.0)
    shared = start_script(Launched(launched.folder / "shared"), "kaggle")
    assert "up work/spec.yaml --set launch.processes=2 --runs" in shared


def test_the_compose_file_is_one(launched: Launched) -> None:
    folder = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text())
    compose = yaml.safe_load(launched.read("compose", "compose.yaml", env=("HF_TOKEN",)))
    assert not list(validator_for(schema)(schema).iter_errors(compose))
    service = compose["services"]["run"]
    assert service["environment"] == ["HF_TOKEN"]
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["count"] == 1
    assert (
        "deploy"
        not in yaml.safe_load(launched.read("compose", "compose.yaml", gpu="none"))["services"][
            "run"
        ]
    )


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_job_is_one_of_kubernetes(launched: Launched, version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    text = launched.read("kubernetes", "job.yaml", env=("HF_TOKEN",), max_hours=3)
    claim, job = yaml.safe_load_all(text)
    for each in (claim, job):
        validate(each, version, strict=True)
    pod = job["spec"]["template"]["spec"]
    assert job["spec"]["activeDeadlineSeconds"] == 3 * 3600
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    secret = pod["containers"][0]["env"][1]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": f"{job['metadata']['name']}-env", "key": "HF_TOKEN"}
    assert len(list(yaml.safe_load_all(launched.read("kubernetes", "job.yaml", place="ours")))) == 1


def test_the_trainjob_is_one_of_kubeflow(launched: Launched) -> None:
    models = pytest.importorskip(
        "kubeflow_trainer_api.models", reason="pip install kubeflow-trainer-api"
    )
    _, job = yaml.safe_load_all(launched.read("trainjob", "job.yaml", max_hours=3))
    found = models.TrainerV1alpha1TrainJob.from_dict(job)
    # What the types do not know is left out by them.
    assert found.to_dict() == job
    assert found.spec.active_deadline_seconds == 3 * 3600


def test_the_task_is_one_of_skypilot(launched: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    sky = pytest.importorskip("sky", reason="pip install skypilot")
    asked = {"env": ("HF_TOKEN",), "place": "s3://ours", "spot": True}
    config = yaml.safe_load(launched.read("skypilot", "sky.yaml", **asked))
    monkeypatch.chdir(next(launched.folder.glob("out-skypilot*")))
    # A bucket is asked whether it exists: that needs an account.
    mounts = config.pop("file_mounts")
    task = sky.Task.from_yaml_config(config, secrets_overrides={"HF_TOKEN": "x"})
    (resources,) = task.resources
    assert (resources.use_spot, list(resources.accelerators.values())) == (True, [1])
    assert mounts == {"/finewright": {"source": "s3://ours", "mode": "MOUNT_CACHED"}}


def test_the_task_is_one_of_dstack(launched: Launched) -> None:
    pytest.importorskip("dstack", reason="pip install dstack")
    from dstack._internal.core.models.configurations import parse_run_configuration

    asked = {
        "env": ("HF_TOKEN",),
        "place": "runs",
        "max_usd": 2.0,
        "gpu": "L4",
        "provider": "runpod",
    }
    task = parse_run_configuration(
        yaml.safe_load(launched.read("dstack", "task.dstack.yml", **asked))
    )
    gpu = task.resources.gpu
    assert (gpu.name, gpu.count.min, gpu.memory.min) == (["L4"], 1, 24)
    assert [backend.value for backend in task.backends] == ["runpod"]
    # 0.49 USD an hour, as the packaged prices have it.
    assert task.max_duration == int(2.0 / 0.49 * 3600)
    assert task.max_price == pytest.approx(0.49 * 1.1)


def test_names_of_gpus_are_those_of_dstack() -> None:
    hunt = pytest.importorskip("gpuhunt", reason="pip install dstack")
    known = {(gpu.name, gpu.memory) for gpu in hunt.KNOWN_NVIDIA_GPUS + hunt.KNOWN_AMD_GPUS}
    memory = gpu_names("memory")
    assert {(name, memory[gpu]) for gpu, name in gpu_names("dstack").items()} <= known


def test_the_custom_job_is_one_of_vertex(launched: Launched) -> None:
    types = pytest.importorskip(
        "google.cloud.aiplatform_v1.types", reason="pip install google-cloud-aiplatform"
    )
    spec = yaml.safe_load(launched.read("vertex", "job.yaml", spot=True, max_usd=20))
    # from_json refuses a name that it does not know, and an enum's value too.
    job = types.CustomJobSpec.from_json(json.dumps(spec))
    (pool,) = job.worker_pool_specs
    assert job.scheduling.strategy == types.Scheduling.Strategy.SPOT
    assert pool.machine_spec.accelerator_type == types.AcceleratorType.NVIDIA_H100_80GB
    assert PLACES["vertex"].replace("gs://", "/gcs/") in pool.container_spec.command[2]
    assert {row[0] for row in gpu_names("vertex").values()} <= set(
        types.AcceleratorType.__members__
    )


TUNED = {
    "base_models": "[meta-llama/Llama-3.2-1B-Instruct]",
    "train.epochs": "3",
    "train.max_steps": "null",
}


def test_the_body_is_one_of_vertex_tuning(launched: Launched) -> None:
    overrides = tuple(f"{key}={value}" for key, value in TUNED.items())
    body = json.loads(launched.read("vertex-tuning", "tuning.json", overrides=overrides))
    rows = launched.read("vertex-tuning", "train.jsonl", overrides=overrides).splitlines()
    roles = [message["role"] for message in json.loads(rows[0])["messages"]]
    assert (len(rows), roles) == (16, ["user", "assistant"])
    types = pytest.importorskip(
        "google.cloud.aiplatform_v1beta1.types", reason="pip install google-cloud-aiplatform"
    )
    job = types.TuningJob.from_json(json.dumps(body))
    settings = job.supervised_tuning_spec.hyper_parameters
    assert (settings.epoch_count, settings.adapter_size.name) == (3, "ADAPTER_SIZE_FOUR")
    assert settings.learning_rate == pytest.approx(0.01)


def test_the_training_job_is_one_of_sagemaker(launched: Launched) -> None:
    session = pytest.importorskip("botocore.session", reason="pip install botocore")
    from botocore.validate import ParamValidator

    body = json.loads(launched.read("sagemaker", "job.json", max_hours=2))
    model = session.Session().get_service_model("sagemaker")
    shape = model.operation_model("CreateTrainingJob").input_shape
    assert not ParamValidator().validate(body, shape).has_errors()
    machines = shape.members["ResourceConfig"].members["InstanceType"].enum
    assert body["ResourceConfig"]["InstanceType"] in machines
    assert body["StoppingCondition"]["MaxRuntimeInSeconds"] == 7200


def test_the_region_of_sagemaker_is_the_images(launched: Launched, tmp_path: Path) -> None:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/training:1"
    values = NEEDED["sagemaker"] | {"image": image}

    def started(name: str, given: dict[str, str]) -> tuple[str, str]:
        report = start(launched.spec, "sagemaker", tmp_path / name, values=given)
        return report.steps[-1], " ".join(report.notes)

    step, notes = started("of-image", values)
    assert "--region eu-west-1 " in step
    assert "the image lies" not in notes
    step, notes = started("given", values | {"region": "eu-north-1"})
    assert "--region eu-north-1 " in step
    assert "the image lies in eu-west-1" in notes
    assert "--region us-east-1 " in started("elsewhere", values | {"image": "ours/training:1"})[0]


def test_the_script_of_slurm_asks_for_what_there_is(launched: Launched) -> None:
    text = launched.read("slurm", "job.sbatch", max_hours=1.5, env=("HF_TOKEN",))
    asked = dict(re.findall(r"^#SBATCH --([\w-]+)=?(\S*)$", text, re.MULTILINE))
    assert (asked["time"], asked["gres"]) == ("90:00", "gpu:1")
    assert asked["export"] == "HOME,PATH,USER,HF_TOKEN"
    slurm = pytest.importorskip("simple_slurm", reason="pip install simple-slurm")
    # It refuses an option that sbatch does not have.
    slurm.Slurm(**{key.replace("-", "_"): value or True for key, value in asked.items()})


@pytest.mark.parametrize("target", TARGETS)
def test_every_script_is_read_by_bash(launched: Launched, target: str) -> None:
    if target == "vertex-tuning":
        pytest.skip("the service runs no script")
    launched.read(
        target,
        {"slurm": "job.sbatch"}.get(
            target, ".sh" if target not in ("colab", "kaggle") else ".ipynb"
        ),
    )
    out = next(launched.folder.glob(f"out-{target}*"))
    for path in [*out.rglob("*.sh"), *out.rglob("*.sbatch")]:
        subprocess.run(["bash", "-n", path], check=True, env={"PATH": os.environ["PATH"]})
