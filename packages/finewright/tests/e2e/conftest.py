"""A project folder around a tiny random model, and `finewright` run in it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest

from finewright.store import signing

from .processes import Result, start

WORDS = ("red", "blue", "green", "white")
Finewright = Callable[..., Result]


def row(number: int, *, extra: str = "") -> dict[str, Any]:
    """A conversation whose answer follows from its question."""
    word = WORDS[number % len(WORDS)]
    return {
        "messages": [
            {"role": "user", "content": f"the {word} {number}{extra}"},
            {"role": "assistant", "content": f"answer {word}"},
        ]
    }


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """One JSON object per line."""
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))


def write_spec(
    folder: Path,
    *,
    train: str = "",
    rest: str = "",
    models: str = "./base",
) -> Path:
    """spec.yaml with six short steps, and without the proof in another process, which costs seconds; `train`
    and `rest` add lines to its sections."""
    path = folder / "spec.yaml"
    path.write_text(
        f"""\
name: tiny
base_models: [{models}]
data:
  sources: [{{path: rows.jsonl, license: CC0-1.0, owner: us}}]
train:
  adapter: {{type: lora, r: 4, alpha: 8, dropout: 0.0}}
  learning_rate: 1.0e-2
  batch_size: 4
  max_steps: 6
  threads: 1
  prove_elsewhere: false
{train}
{rest or "evaluate: {data: [{path: test.jsonl}], max_new_tokens: 8}"}
"""
    )
    return path


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random llama with its tokenizer, as a folder."""
    import tiny

    folder = tmp_path_factory.mktemp("base-model")
    tiny.tiny_model("llama").save_pretrained(folder)
    tiny.tiny_tokenizer().save_pretrained(folder)
    return folder


def make_project(folder: Path, base_model: Path) -> Path:
    """Fill a folder with a base model, 16 rows to train on, 4 held out, and the spec of a short run."""
    copytree(base_model, folder / "base")
    write_jsonl(folder / "rows.jsonl", [row(i) for i in range(16)])
    write_jsonl(folder / "test.jsonl", [row(i) for i in range(100, 104)])
    write_spec(folder)
    return folder


@pytest.fixture(scope="session")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of the user whose runs these are; every test has a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("signer")
        patch.setenv("HOME", str(home))
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        signing.sign(b"")
    return next(home.rglob("signing.pem"))


@pytest.fixture(autouse=True)
def _same_signer(signing_key: Path, _own_home: None) -> None:
    folder = Path.home() / ".config" / "finewright" / "trust"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    (folder / signing_key.name).symlink_to(signing_key)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where projects lie in which a run has begun: one for the test, and what they were before it."""
    return tmp_path_factory.mktemp("begun")


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, base_model: Path, begun: Path) -> Path:
    """A project of the test's own. With `after_train` or `after_up` a run is in it, which is made once."""
    command = next((c for c in ("train", "up") if f"after_{c}" in request.fixturenames), None)
    if command is None:
        return make_project(tmp_path, base_model)
    folder, kept = begun / "project", begun / f"after-{command}"
    rmtree(folder, ignore_errors=True)
    if kept.exists():
        return copytree(kept, folder)  # to the same path, which the run knows
    make_project(folder, base_model)
    assert start((command, "spec.yaml"), folder=folder).result().code == 0
    copytree(folder, kept)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, base_model: Path) -> Path:
    """A run that ended, in a project that all tests share: only to be read."""
    folder = make_project(tmp_path_factory.mktemp("finished"), base_model)
    assert start(("up", "spec.yaml"), folder=folder).result().code == 0
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.fixture
def after_train(project: Path) -> None:
    """The project has a run that is trained."""


@pytest.fixture
def after_up(project: Path) -> None:
    """The project has a run that is trained and measured."""


@pytest.fixture
def finewright(project: Path) -> Finewright:
    """Run a command in the project folder and wait for its end."""

    def run(*arguments: str, stdin: str = "") -> Result:
        return start(arguments, folder=project, stdin=stdin).result()

    return run


@pytest.fixture
def runs(project: Path) -> Path:
    """Where the project's runs are."""
    return project / "runs"
