"""POST /v1/decisions: labels with confidence, set and unsure, as the model itself decides."""

import json
import random
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import tiny
from finewright.schema.decisions import MultilabelCalibration
from finewright.schema.load import load_spec
from finewright.workbench.systems import load_decider
from finewright.workbench.up import up
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.measures import Measures
from finewright_serve.local import LocalModels, Serving, native
from finewright_serve.spec import ServedTarget, ServeSpec
from gateway.test_responses import LAST, Scripted

pytestmark = pytest.mark.torch
WORDS = {"card": "card lost stolen blocked", "fee": "fee charge price cost"}


def make_texts(count: int, seed: int) -> list[tuple[str, str]]:
    rng = random.Random(seed)  # noqa: S311
    labels = [rng.choice(list(WORDS)) for _ in range(count)]
    return [(" ".join([*rng.choices(WORDS[e].split(), k=2), "please"]), e) for e in labels]


def train(folder: Path, rows: list[tuple[str, str]], settings: str, base: str = "words") -> Path:
    """A run of these texts and answers."""
    lines = [json.dumps({"prompt": text, "completion": answer}) + "\n" for text, answer in rows]
    (folder / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "spec.yaml").write_text(
        f"name: lin\nbase_models: [{base}]\ndata: {{sources: [{{path: train.jsonl}}]}}\n"
        f"train: {settings}\n"
    )
    loaded = load_spec(folder / "spec.yaml")
    report = up(loaded, folder / "runs", on_event=lambda *_: None, through="train")
    return Path(report.summary.run)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("decisions"), make_texts(700, 0), "{method: linear}")


@pytest.fixture
def client(run: Path) -> TestClient:
    engines = native(
        [ServedTarget(target=str(run), id="triage")], Serving(ServeSpec(), LocalModels(8, 1))
    )
    admission = Admission(4, 9)
    gateway = Gateway([*engines, Scripted([LAST])], admission, Measures(admission))
    return TestClient(app_of(gateway, None))


def test_it_gives_what_the_model_decides(client: TestClient, run: Path) -> None:
    texts = [text for text, _ in make_texts(20, 1)]
    found = client.post("/v1/decisions", json={"model": "triage", "input": texts}).json()
    calibration = load_decider(str(run)).calibration
    assert (found["coverage"], found["threshold"]) == (0.9, calibration.threshold)
    assert [each["label"] for each in found["data"]] == [label for _, label in make_texts(20, 1)]
    for each in found["data"]:
        assert 0.5 <= each["confidence"] <= 1
        assert set(each["set"]) <= set(WORDS)
        assert each["unsure"] == (each["confidence"] < calibration.threshold)
    assert found["drift"] is None


def test_several_labels_are_given_with_their_thresholds(tmp_path: Path) -> None:
    rows = [(text, json.dumps([label])) for text, label in make_texts(300, 0)]
    done = str(train(tmp_path, rows, "{method: linear, decisions: {kind: several}}"))
    served = native([ServedTarget(target=done, id="all")], Serving(ServeSpec(), LocalModels(8, 1)))
    admission = Admission(4, 9)
    app = app_of(Gateway(served, admission, Measures(admission)), None)
    texts = [text for text, _ in make_texts(20, 1)]
    found = TestClient(app).post("/v1/decisions", json={"model": "all", "input": texts}).json()
    assert [each["labels"] for each in found["data"]] == [[e] for _, e in make_texts(20, 1)]
    calibration = load_decider(done).calibration
    assert isinstance(calibration, MultilabelCalibration)
    assert found["thresholds"] == dict(zip(["card", "fee"], calibration.thresholds, strict=True))
    assert "threshold" not in found
    assert found["data"][0]["probabilities"].keys() == {"card", "fee"}


def test_a_text_without_a_known_word_is_unsure(client: TestClient) -> None:
    body = {"model": "triage", "input": ["", "zzz", "a lost card"]}
    found = client.post("/v1/decisions", json=body).json()
    assert [each["unsure"] for each in found["data"]] == [True, True, False]


def test_scores_of_a_head_are_given_with_their_intervals(tmp_path: Path) -> None:
    tiny.tiny_model("llama").save_pretrained(tmp_path / "base")
    tiny.tiny_tokenizer().save_pretrained(tmp_path / "base")
    rows = [(text, str(90 * (label == "fee"))) for text, label in make_texts(100, 0)]
    head = (
        "{head: labels, decisions: {kind: score, cutoff: 45}, max_steps: 4, prove_elsewhere: false}"
        "\nevaluate: {metrics: ['within:5']}"
    )
    done = train(tmp_path, rows, head, "./base")
    target = ServedTarget(target=str(done), id="head")
    served = native([target], Serving(ServeSpec(), LocalModels(8, 1)))
    admission = Admission(4, 9)
    app = app_of(Gateway(served, admission, Measures(admission)), None)
    texts = [text for text, _ in make_texts(3, 1)]
    found = TestClient(app).post("/v1/decisions", json={"model": "head", "input": texts}).json()
    assert found["cutoff"] == 45
    for each in found["data"]:
        assert each["low"] < each["score"] < each["high"]
        assert each["unsure"] == (each["low"] <= 45 <= each["high"])


def test_windows_of_strange_texts_raise_the_alarm(client: TestClient) -> None:
    body = {"model": "triage", "input": ["please"] * 250}
    client.post("/v1/decisions", json=body)
    found = client.post("/v1/decisions", json=body).json()
    assert found["drift"]["rows"] == 500
    assert found["drift"]["alarm"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/decisions", {"model": "m", "input": "a"}, "is no model of labels"),
        ("/v1/decisions", {"model": "triage", "input": []}, "input: there is no text"),
        ("/v1/decisions", {"model": "triage", "input": None}, "input: a text or a list of texts"),
        ("/v1/decisions", {"model": "triage", "input": [7]}, "input: token ids are not taken"),
        ("/v1/embeddings", {"model": "triage", "input": "a"}, "no vectors"),
        (
            "/v1/chat/completions",
            {"model": "triage", "messages": [{"role": "user", "content": "a"}]},
            "/v1/decisions asks it",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(
    client: TestClient, path: str, body: dict[str, object], says: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
