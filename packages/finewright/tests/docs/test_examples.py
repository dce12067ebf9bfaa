"""The examples are specs that load, one for each method, and let run just the code beside them."""

from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from finewright.evaluate.own import check_own_metrics
from finewright.schema.adapter import AdapterSpec
from finewright.schema.load import LoadedSpec, load_spec
from finewright.schema.load_section import load_section
from finewright.schema.methods import OnlineSettings
from finewright.schema.rag import RagSpec
from finewright.schema.train_section import METHODS
from finewright.train import rewards
from finewright.train.support import find_unsupported
from finewright.workbench.trust import trust_code
from finewright_serve.spec import ServeSpec

EXAMPLES = Path(__file__).parents[4] / "examples"
SPECS = {
    path.stem: load_spec(path)
    for path in sorted(EXAMPLES.glob("*.yaml"))
    if path.stem == "decide-labels"
    or not path.stem.startswith(
        ("decide-", "documents", "rag-", "serve", "guards", "gateway")
    )  # these are of one section alone
}
LLAMA = {"model_type": "llama"}


def test_every_method_and_every_kind_of_adapter_has_an_example() -> None:
    methods = set(METHODS)
    kinds = {arm.model_fields["type"].default for arm in get_args(get_args(AdapterSpec)[0])}
    assert methods <= {loaded.spec.train.method for loaded in SPECS.values()}
    assert kinds - {"ia3", "none"} <= {s.spec.train.adapter.type for s in SPECS.values()}
    assert {"qlora", "dora"} <= SPECS.keys()


@pytest.mark.parametrize("name", SPECS)
def test_an_example_names_what_it_is_and_works(name: str) -> None:
    loaded = SPECS[name]
    assert loaded.spec.name == name
    wrong = [p for p in find_unsupported(loaded.spec.train, LLAMA) if p.level != "info"]
    assert wrong == []
    commands = {
        "bakeoff": "bakeoff",
        "frameworks": "bakeoff",
        "launch": "launch",
        "tune": "tune",
        "web3-support-bot": "train",  # what is measured is the server that it is for
    }
    command = commands.get(name, "up")
    assert f"finewright {command} examples/{name}.yaml" in loaded.text


@pytest.mark.parametrize(
    "loaded", [s for s in SPECS.values() if isinstance(s.spec.train, OnlineSettings)]
)
def test_the_code_that_an_example_lets_run_is_the_file_beside_it(loaded: LoadedSpec) -> None:
    train = loaded.spec.train
    assert isinstance(train, OnlineSettings)
    trust_code(EXAMPLES / "rewards.py", date(2026, 12, 1))
    assert rewards.check(train.rewards, [{"answer": "a"}], loaded.resolve) == []


def test_the_example_of_a_metric_names_the_code_beside_it() -> None:
    trust_code(EXAMPLES / "metrics.py", date(2026, 12, 1))
    loaded = SPECS["own-metric"]
    assert loaded.spec.evaluate.own_metrics
    assert check_own_metrics(loaded.spec.evaluate, loaded.resolve) == []


def test_the_example_of_rag_names_what_makes_its_documents_and_how_it_is_run() -> None:
    path = EXAMPLES / "rag-natspec.yaml"
    loaded, text = load_section("rag", RagSpec, path), path.read_text(encoding="utf-8")
    assert loaded.name == "rag-natspec"
    assert "finewright data get natspec-docs --out examples/natspec-docs" in text
    for command in ("index", "search", "ask", "evaluate"):
        assert f"finewright rag {command} examples/rag-natspec.yaml" in text


@pytest.mark.parametrize("name", ["serve", "guards"])
def test_an_example_of_serve_loads_and_names_its_command(name: str) -> None:
    path = EXAMPLES / f"{name}.yaml"
    assert load_section("serve", ServeSpec, path).spec.models == ("smollm2-135m-instruct",)
    assert f"finewright serve --spec examples/{path.name}" in path.read_text(encoding="utf-8")
