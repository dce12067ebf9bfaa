"""Run folders of a stranger's: whatever lies in one, no command runs code of it.

Each is a real run, made to fit once it is changed: paths and consents in its lock, its base and adapter,
every digest in report and manifest. In each the commands that load anything are called, from within the
folder. That the code is no dud, and is reached, is shown by two of the folders once their code is trusted."""

import hashlib
import importlib
import json
import os
import pickle  # noqa: TID251 - to make what is not to be read
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from bars import Bar
from finewright.lm.sources import folder_digest
from finewright.trust import code_digest
from finewright.workbench.stages import code_digest as own_code_digest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "packages" / "finewright" / "tests"
GOLDEN = TESTS / "golden"
KEPT = GOLDEN / "kept" / "2026-11-27-tiny-293e"
ASK = Path(__file__).with_name("ask_run.py")
# All commands of a folder together, on a busy machine of two cores.
SECONDS = 600
CONFIGURATION = (
    "from transformers import LlamaConfig\nclass C(LlamaConfig):\n    model_type = 'tinyx'\n"
)
MODEL = (
    "from transformers import LlamaForCausalLM\nfrom .configuration_x import C\n"
    "class M(LlamaForCausalLM):\n    config_class = C\n"
)
WRONG = 2  # exit code of a run that is not what was recorded
AUTO = {"AutoConfig": "configuration_x.C", "AutoModelForCausalLM": "modeling_x.M"}


class Place:
    """A copied run, beside which a mark is left by whatever code of it runs."""

    def __init__(self, run: Path) -> None:
        self.run, self.base, self.mark = run, run / "base", run.parent / "ran"
        self.adapter = run / "train" / "base" / "adapter"

    @property
    def payload(self) -> str:
        """Python that leaves the mark."""
        return f"open({str(self.mark)!r}, 'a').close()\n"

    def write(self, name: str, text: str) -> None:
        """A file of the run."""
        path = self.run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, name: str, **fields: object) -> None:
        """Other fields in a JSON file of the run."""
        path = self.run / name
        found = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps({**found, **fields}))

    def model_code(self, folder: str = "base") -> None:
        """A family of its own, whose files leave the mark."""
        self.write(f"{folder}/configuration_x.py", self.payload + CONFIGURATION)
        self.write(f"{folder}/modeling_x.py", self.payload + MODEL)

    def pickled(self, name: str) -> None:
        """A pickle that leaves the mark when it is read."""
        path = self.run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(Call(self.mark)))


class Call:
    """What a pickle may hold: a function to call."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def own_family(place: Place) -> None:
    place.model_code()
    place.change("base/config.json", model_type="tinyx", auto_map=AUTO)


def own_family_of_the_tokenizer(place: Place) -> None:
    own_family(place)
    place.write("base/tok.py", place.payload + "class T: ...\n")
    place.change("base/tokenizer_config.json", auto_map={"AutoTokenizer": ["tok.T", "tok.T"]})


def known_family(place: Place) -> None:
    place.model_code()
    place.change("base/config.json", auto_map={**AUTO, "AutoTokenizer": ["modeling_x.M", None]})


def tokenizer_code(place: Place) -> None:
    place.write("base/tok.py", place.payload + "class T: ...\n")
    place.change("base/tokenizer_config.json", auto_map={"AutoTokenizer": ["tok.T", "tok.T"]})
    place.change("base/tokenizer_config.json", tokenizer_class="T")


def adapter_tokenizer_code(place: Place) -> None:
    place.write("train/base/adapter/tok.py", place.payload + "class T: ...\n")
    auto = {"AutoTokenizer": ["tok.T", "tok.T"]}
    place.change("train/base/adapter/tokenizer_config.json", auto_map=auto, tokenizer_class="T")


def processor_code(place: Place) -> None:
    place.write("base/pro.py", place.payload + "class P: ...\n")
    for name in ("processor_config", "preprocessor_config", "video_preprocessor_config"):
        auto = {"AutoProcessor": "pro.P", "AutoImageProcessor": "pro.P"}
        place.change(f"base/{name}.json", auto_map=auto, processor_class="P")


def named(reference: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        own_family(place)
        place.model_code("other")
        place.model_code("base/sub")
        auto = dict.fromkeys(AUTO, reference)
        place.change("base/config.json", auto_map=auto)

    return change


def linked_folder(place: Place) -> None:
    own_family(place)
    place.base.rename(place.run / "elsewhere")
    place.base.symlink_to("elsewhere")


def linked_files(place: Place) -> None:
    own_family(place)
    for path in list(place.base.glob("*.py")):
        path.rename(place.run / path.name)
        path.symlink_to(place.run / path.name)


def base_by_its_adapter(place: Place) -> None:
    shutil.copytree(place.base, place.run / "other")
    place.model_code("other")
    place.change("other/config.json", model_type="tinyx", auto_map=AUTO)
    other = {"peft_type": "LORA", "base_model_name_or_path": str(place.run / "other")}
    place.write("base/adapter_config.json", json.dumps(other))


def adapter_of_another_base(place: Place) -> None:
    base_by_its_adapter(place)
    (place.base / "adapter_config.json").unlink()
    at = "train/base/adapter/adapter_config.json"
    place.change(at, base_model_name_or_path=str(place.run / "other"), auto_mapping=AUTO)


def adapter_of_a_module(place: Place) -> None:
    place.write("evil.py", place.payload)
    at = "train/base/adapter/adapter_config.json"
    place.change(at, megatron_config={"x": 1}, megatron_core="evil")


def whole_model(place: Place) -> None:
    own_family(place)
    shutil.rmtree(place.adapter)
    shutil.copytree(place.base, place.adapter)


def generation_code(place: Place) -> None:
    place.write("base/custom_generate/generate.py", place.payload + "def generate(**_): ...\n")
    place.change("base/generation_config.json", custom_generate=str(place.base))


def kernels(place: Place) -> None:
    place.write("base/kernels/__init__.py", place.payload)
    place.change("base/config.json", attn_implementation=f"{place.base}/kernels:attention")


def pickled_weights(place: Place) -> None:
    (place.base / "model.safetensors").unlink()
    place.pickled("base/pytorch_model.bin")


def pickled_adapter(place: Place) -> None:
    (place.adapter / "adapter_model.safetensors").unlink()
    place.pickled("train/base/adapter/adapter_model.bin")


def pickled_checkpoints(place: Place) -> None:
    for name in ("optimizer.pt", "rng_state.pth", "scheduler.pt", "training_args.bin", "state.pkl"):
        place.pickled(f"train/base/checkpoints/step-000020/{name}")
    (place.run / "train" / "report.json").unlink()


def pickled_vocabulary(place: Place) -> None:
    for name in ("vocab.pkl", "vocab.bin", "tokenizer.pkl", "tokenizer.model"):
        place.pickled(f"base/{name}")
    (place.base / "tokenizer.json").unlink()


def quantised(place: Place) -> None:
    place.write("evil.py", place.payload)
    place.change(
        "base/config.json", quantization_config={"quant_method": "evil", "modules": "evil"}
    )


def reward(place: Place) -> None:
    code = place.payload + "def f(answer, row):\n    return 1.0\n"
    place.write("mine.py", code)
    consent = f"sha256:{hashlib.sha256(code.encode()).hexdigest()}"
    rewards = [
        {"function": "python:mine.py:f", "column": "answer", "weight": 1.0, "consent": consent}
    ]
    change_spec(place, {"method": "grpo", "rewards": rewards, "max_steps": 1, "num_generations": 2,
                        "max_new_tokens": 4, "batch_size": 2, "prove_elsewhere": False})  # fmt: skip


def reward_model(place: Place) -> None:
    inner = Place(Path(shutil.copytree(place.run, place.run / "rated")))
    inner.mark = place.mark
    own_family(inner)
    report = json.loads((inner.run / "train/report.json").read_text())
    report["candidates"][0]["method"] = "reward"
    inner.write("train/report.json", json.dumps(report))
    fit(inner)
    change_spec(place, {"method": "grpo", "rewards": [{"function": "reward_model:rated"}],
                        "max_steps": 1, "num_generations": 2, "max_new_tokens": 4})  # fmt: skip


def plugin(place: Place) -> None:
    place.write("evil.py", place.payload + "def f(answer, expected):\n    return 1.0\n")
    facts = "Metadata-Version: 2.1\nName: evil\nVersion: 1\n"
    points = "".join(
        f"[finewright.{kind}]\nf = evil:f\n" for kind in ("reward", "scorer", "feature")
    )
    place.write("evil-1.dist-info/METADATA", facts)
    place.write("evil-1.dist-info/entry_points.txt", points)
    change_spec(place, {"method": "grpo", "rewards": [{"function": "plugin:f"}], "max_steps": 1})


def modules_in_the_folder(place: Place) -> None:
    for name in ("yaml", "torch", "multiprocessing", "encodings", "transformers", "json", "numpy"):
        place.write(f"{name}.py", place.payload)
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "__init__.py"):
        place.write(name, place.payload)
    place.write("x.pth", f"import os; {place.payload}")


def yaml_tags(place: Place) -> None:
    touch = f"!!python/object/apply:os.system ['touch {place.mark}']"
    for name in ("spec.yaml", "spec.lock.yaml"):
        text = (place.run / name).read_text()
        place.write(name, f"{text}\nevil: {touch}\n")


def template(place: Place) -> None:
    found = "{% for c in ''.__class__.__mro__[1].__subclasses__() %}{{ c }}{% endfor %}"
    call = "{{ cycler.__init__.__globals__.os.system('touch MARK') }}".replace(
        "MARK", str(place.mark)
    )
    for folder in ("base", "train/base/adapter"):
        place.write(f"{folder}/chat_template.jinja", call + found)


def gguf(place: Place) -> None:
    own_family(place)
    place.base.rename(place.run / "model")
    place.write("model/model.gguf", "GGUF")
    place.base.symlink_to("model/model.gguf")


FOLDERS: dict[str, Callable[[Place], None]] = {
    "a family of its own, with consent in the lock": own_family,
    "a Python reward, with consent in the lock": reward,
    "modules that have the names of libraries": modules_in_the_folder,
    "code of model and tokenizer": own_family_of_the_tokenizer,
    "code beside a known family": known_family,
    "a tokenizer's code": tokenizer_code,
    "an adapter's tokenizer's code": adapter_tokenizer_code,
    "processors' code": processor_code,
    "code of a folder below": named("sub/modeling_x.M"),
    "code of a folder beside": named("../other/modeling_x.M"),
    "code by an absolute path": named("/srv/modeling_x.M"),
    "code of another repository": named("someone/other--modeling_x.M"),
    "a base that is a link": linked_folder,
    "code that is links": linked_files,
    "a base that is an adapter of another": base_by_its_adapter,
    "an adapter that names another base": adapter_of_another_base,
    "an adapter that names a module": adapter_of_a_module,
    "a whole model with code as the result": whole_model,
    "code for generation": generation_code,
    "kernels in the folder": kernels,
    "pickled weights": pickled_weights,
    "a pickled adapter": pickled_adapter,
    "pickled checkpoints": pickled_checkpoints,
    "pickled vocabularies": pickled_vocabulary,
    "quantisation by a module": quantised,
    "a reward model's run with code": reward_model,
    "a package in the folder": plugin,
    "YAML that calls": yaml_tags,
    "templates that call": template,
    "a GGUF file beside code": gguf,
}  # fmt: skip
REACHED = list(FOLDERS)[:2]
SMALLEST = list(FOLDERS)[:3]


def bars(folder: Path, small: bool) -> list[Bar]:
    names = SMALLEST if small else list(FOLDERS)
    base = made_base(folder / "tiny")
    found = {name: asked(folder / f"{i:02}", name, base) for i, name in enumerate(names)}
    reached = [
        name
        for name in REACHED
        if asked(folder / "trusted" / name[:8], name, base, trusts=True).ran
    ]
    on = f"of {len(names)} run folders"
    ran = [name for name, each in found.items() if each.ran]
    cut = [name for name, each in found.items() if each.tracebacks]
    return [
        Bar("run folders that ran code", len(ran), 0, True, "; ".join(ran) or on),
        Bar("run folders that end in a traceback", len(cut), 0, True, "; ".join(cut) or on),
        Bar(
            "the same code, once trusted, ran",
            len(reached),
            len(REACHED),
            False,
            ", ".join(reached),
        ),
        forged_bar(folder / "forged"),
    ]


class Outcome:
    """Did code run, and which commands ended in a traceback?"""

    def __init__(self, ran: bool, tracebacks: list[str]) -> None:
        self.ran, self.tracebacks = ran, tracebacks


def asked(folder: Path, name: str, base: Path, *, trusts: bool = False) -> Outcome:
    """What all commands do in the folder of that name, for a user who trusts nothing, or its code."""
    place = copied(folder, base)
    FOLDERS[name](place)
    fit(place)
    environment = {
        **os.environ,
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "HF_HOME": str(folder / "hub"),
        "FINEWRIGHT_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    code = [place.run / "mine.py"] if (place.run / "mine.py").exists() else [place.base]
    command = [sys.executable, str(ASK), *(map(str, code) if trusts else [])]
    done = subprocess.run(
        command, cwd=place.run, env=environment, input="y\n" * 99, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    said = [line for line in done.stdout.splitlines() if line.startswith("traceback ")]
    return Outcome(
        place.mark.exists(), said or ([] if "asked all" in done.stdout else [done.stderr[-300:]])
    )


def made_base(folder: Path) -> Path:
    """The tiny model that the kept run was trained on."""
    sys.path.insert(0, str(TESTS))
    tiny = importlib.import_module("tiny")
    model = tiny.tiny_model("llama")
    model.config.max_position_embeddings = 256
    model.save_pretrained(folder)
    tiny.tiny_tokenizer().save_pretrained(folder)
    return folder


def copied(folder: Path, base: Path) -> Place:
    run = Path(shutil.copytree(KEPT, folder / KEPT.name))
    shutil.copytree(base, run / "base")
    for name in ("rows.jsonl", "test.jsonl"):
        shutil.copy(GOLDEN / "inputs" / name, run)
    return Place(run)


def change_spec(place: Place, train: dict[str, object]) -> None:
    """Another training in spec and lock."""
    spec = yaml.safe_load((place.run / "spec.yaml").read_text())
    adapter = {"type": "lora", "r": 4, "alpha": 8}
    spec["train"] = {"adapter": adapter, "dtype": "fp32", "threads": 1, **train}
    place.write("spec.yaml", yaml.safe_dump(spec))
    lock = yaml.safe_load((place.run / "spec.lock.yaml").read_text())
    lock["spec"]["train"] = spec["train"]
    lock["candidates"]["./base"] = spec["train"]
    place.write("spec.lock.yaml", yaml.safe_dump(lock))


def fit(place: Place) -> None:
    """Have lock, report and manifest say what is there, with a consent to all code."""
    consent = f"sha256:{code_digest(place.base)}" if place.base.is_dir() else "sha256:0"
    texts = [place.run / name for name in ("spec.yaml", "spec.lock.yaml")]
    if not any("!!python" in path.read_text() for path in texts):
        spec, lock = (yaml.safe_load(path.read_text()) for path in texts)
        spec["remote_code"] = lock["spec"]["remote_code"] = {"./base": consent}
        lock["root"], lock["code_sha256"] = str(place.run), own_code_digest()
        texts[0].write_text(yaml.safe_dump(spec))
        texts[1].write_text(yaml.safe_dump(lock))
    report = place.run / "train" / "report.json"
    if report.is_file():
        trained = json.loads(report.read_text())
        for candidate in trained["candidates"]:
            if place.base.is_dir():
                candidate["base_sha256"] = folder_digest(place.base)
            refit(place.run, candidate["artifacts"])
        report.write_text(json.dumps(trained))
    record = json.loads((place.run / "manifest.json").read_text())
    refit(place.run, record["artifacts"])
    place.write("manifest.json", json.dumps(record))


def refit(run: Path, rows: list[dict[str, object]]) -> None:
    """Rows of files as they are; those of files that are gone go."""
    rows[:] = [row for row in rows if (run / str(row["path"])).is_file()]
    for row in rows:
        content = (run / str(row["path"])).read_bytes()
        row |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def forged_bar(folder: Path) -> Bar:
    """Scores that their answers do not give, in folders that fit otherwise."""
    passed = []
    edits = {
        "a score": ("evaluate/report.json", '"value": 0.5,', '"value": 0.9,'),
        "a p-value": ("evaluate/report.json", '"p_value": 1.0', '"p_value": 0.001'),
        "a row's score": ("evaluate/samples.jsonl", '"token_f1":0.5', '"token_f1":0.9'),
        "a row's answer": ("evaluate/samples.jsonl", '"answer":"answer', '"answer":"other'),
    }
    for number, (name, (file, old, new)) in enumerate(edits.items()):
        run = Path(shutil.copytree(KEPT, folder / str(number) / KEPT.name))
        path = run / file
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))
        record = json.loads((run / "manifest.json").read_text())
        refit(run, record["artifacts"])
        (run / "manifest.json").write_text(json.dumps(record))
        command = [sys.executable, "-m", "finewright", "verify", str(run)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != WRONG or "answer" not in done.stdout:
            passed.append(name)
    return Bar(
        "forged scores that verify", len(passed), 0, True, "; ".join(passed) or f"of {len(edits)}"
    )
