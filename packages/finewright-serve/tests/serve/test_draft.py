"""Which models may guess for which."""

from pathlib import Path

import pytest

import tiny
from finewright.errors import DataError, FinewrightError, ModelError
from finewright.workbench.chat import Manner
from finewright.workbench.speakers import speaker_of
from finewright_serve.command import spec_of_options
from finewright_serve.local import LocalModels
from finewright_serve.options import ServeOptions
from finewright_serve.spec import ServedTarget

pytestmark = pytest.mark.torch
SAID = [{"role": "user", "content": "the user asks"}]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, family, seed in (
        ("large", "llama", 0),
        ("small", "llama", 1),
        ("slow", "mixtral", 0),
    ):
        tiny.tiny_model(family, seed=seed).save_pretrained(name)
        tiny.tiny_tokenizer().save_pretrained(name)
    other = tiny.tiny_tokenizer()
    other.add_tokens(["<extra>"])
    tiny.tiny_model("llama").save_pretrained("other")
    other.save_pretrained("other")


def test_a_chat_with_a_draft_says_the_same() -> None:
    for manner in (Manner(40, 0.0, 0), Manner(40, 0.9, 3)):
        texts = [
            "".join(said.text for said in speaker_of("./large", draft).answer(SAID, manner))
            for draft in ("", "./small", "./slow", "./large")
        ]
        assert len(set(texts)) == 1
        assert texts[0]


@pytest.mark.parametrize(
    ("target", "draft", "says"),
    [
        ("./large", "./other", "draft model ./other: its vocabulary is not the model's"),
        ("./slow", "./small", "takes no guesses, which could change its answers: answers by torch"),
        ("./large", "./nowhere", "nowhere"),
        ("http://127.0.0.1:9/v1#m", "./small", "takes no draft model from here"),
    ],
)
def test_a_draft_that_is_of_no_use_is_refused(target: str, draft: str, says: str) -> None:
    with pytest.raises(FinewrightError, match=says) as caught:
        speaker_of(target, draft)
    assert "\n" not in str(caught.value)


def test_a_base_model_is_served_with_one_draft() -> None:
    models = LocalModels(max_tokens=40, at_once=4)
    first = models.read(ServedTarget(target="./large", draft_model="./small"))
    again = models.read(ServedTarget(target="./large", id="again"))
    assert first.loaded.draft is not None
    assert again.loaded.draft is first.loaded.draft
    with pytest.raises(DataError, match=r"served with \./small already"):
        models.read(ServedTarget(target="./large", id="third", draft_model="./large"))
    with pytest.raises(ModelError, match="its vocabulary is not the model's"):
        models.read(ServedTarget(target="./small", draft_model="./other"))
    with pytest.raises(ValueError, match=r"a\.gguf is served by engine llamacpp"):
        ServedTarget(target="a.gguf", draft_model="./small")


def test_a_draft_of_the_command_line_is_of_the_models_that_it_names() -> None:
    for targets, says in (
        ((), "--draft-model is of models that the command line names"),
        (
            ("http://127.0.0.1:9/v1#m",),
            "draft_model: only a run or a base model takes one, and http",
        ),
    ):
        with pytest.raises(DataError, match=says):
            spec_of_options(ServeOptions(targets=targets, draft_model="./small"))
    spec, _ = spec_of_options(ServeOptions(targets=("./large",), draft_model="./small"))
    assert spec.models == (ServedTarget(target="./large", draft_model="./small"),)
