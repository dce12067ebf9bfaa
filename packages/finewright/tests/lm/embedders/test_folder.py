"""A local model's vectors against transformers alone; what its folder says is honoured or refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from finewright.errors import ModelError
from finewright.lm.embedders.load import load_embedder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

TEXTS = ["the answer is the other", "user", "the user asks " * 9, "a", "system model the"]


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny random BERT with a tokenizer that frames each text, as BERT's does."""
    from tokenizers import processors
    from transformers import BertConfig, BertModel

    import tiny

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tiny.VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        initializer_range=0.5,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder)
    tokenizer = tiny.tiny_tokenizer()
    frame = [("<|im_start|>", 1), ("<|im_end|>", 2)]
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token, _ in frame}
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>", special_tokens=list(ids.items())
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "tiny-bert"))


def embedder_of(folder):
    return load_embedder(folder.name, folder.parent.joinpath)


@pytest.fixture(autouse=True)
def _exact(monkeypatch):
    """Whatever the machine multiplies fast, the comparison is in fp32."""
    monkeypatch.setattr("finewright.lm.runtime.fast_bf16", lambda: False)


def hidden_of(folder, text, longest=40):
    """Each token's last hidden state, one text at a time and so without padding, (T, d)."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    batch = tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
    with torch.inference_mode():
        return (
            model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
            .last_hidden_state[0]
            .numpy()
        )


POOLINGS = {
    "mean_tokens": lambda hidden: hidden.mean(0),
    "mean_sqrt_len_tokens": lambda hidden: hidden.sum(0) / np.sqrt(len(hidden)),
    "cls_token": lambda hidden: hidden[0],
    "max_tokens": lambda hidden: hidden.max(0),
    "lasttoken": lambda hidden: hidden[-1],
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_each_pooling_is_what_its_name_says(folder, pooling):
    modes = {f"pooling_mode_{name}": name == pooling for name in POOLINGS}
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": 16, **modes})
    vectors = embedder_of(folder).documents(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (len(TEXTS), 16))
    for text, vector in zip(TEXTS, vectors, strict=True):
        expected = POOLINGS[pooling](hidden_of(folder, text))
        assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_without_a_word_of_pooling_it_is_the_mean_and_a_decoder_embeds_too(tiny_folder):
    embedder = embedder_of(tiny_folder)
    for text, vector in zip(TEXTS, embedder.queries(TEXTS), strict=True):
        expected = hidden_of(tiny_folder, text).mean(0)
        assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_a_text_that_is_too_long_is_cut_and_counted(folder):
    write(folder, "sentence_bert_config.json", {"max_seq_length": 6, "do_lower_case": False})
    embedder = embedder_of(folder)
    (vector,) = embedder.documents([TEXTS[2]])
    assert embedder.num_cut == 1
    expected = hidden_of(folder, TEXTS[2], longest=6).mean(0)
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    embedder.queries(["a", "a"])
    assert embedder.num_cut == 1


def test_no_text_is_longer_than_the_model_has_positions(folder):
    embedder = embedder_of(folder)
    assert np.isfinite(embedder.documents(["the user " * 500])).all()
    assert embedder.num_cut == 1


def test_queries_and_documents_have_the_prompts_of_the_folder(folder):
    prompts = {"query": "user asks: ", "passage": "the answer: ", "other": "x"}
    plain = embedder_of(folder)
    expected = (plain.documents(["user asks: it"]), plain.documents(["the answer: it"]))
    write(folder, "config_sentence_transformers.json", {"prompts": prompts})
    embedder = embedder_of(folder)
    assert embedder.queries(["it"]) == pytest.approx(expected[0], abs=1e-6)
    assert embedder.documents(["it"]) == pytest.approx(expected[1], abs=1e-6)


def test_a_vector_does_not_depend_on_the_texts_beside_it(folder):
    texts = [f"{'the user ' * (n % 7)}{n}" for n in range(400)]
    embedder = embedder_of(folder)
    together = embedder.documents(texts)
    for n in (0, 3, 177, 399):
        assert together[n] == pytest.approx(embedder.documents([texts[n]])[0], abs=1e-5)
    assert embedder.documents([]).shape == (0, 16)


def test_the_id_tells_weights_pooling_and_prompts_apart(folder):
    ids = [embedder_of(folder).id]
    write(folder, "1_Pooling/config.json", {"pooling_mode_cls_token": True})
    ids.append(embedder_of(folder).id)
    write(folder, "config_sentence_transformers.json", {"prompts": {"query": "q: "}})
    ids.append(embedder_of(folder).id)
    assert len(set(ids)) == 3
    assert all(name.startswith("tiny-bert@") for name in ids)
    assert embedder_of(folder).id == ids[2]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "modules.json",
            [{"type": "sentence_transformers.models.Dense"}],
            "modules.json: a Dense module is not supported",
        ),
        ("modules.json", {"a": 1}, "not a list of modules"),
        ("1_Pooling/config.json", {"pooling_mode_weightedmean_tokens": True}, "weightedmean_tokens is not"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True},
            r"cls_token \+ max_tokens is not supported",
        ),
        ("1_Pooling/config.json", [], "not a JSON object"),
        ("config_sentence_transformers.json", {"prompts": [1]}, "prompts must be texts"),
        ("config.json", {"model_type": "mine", "auto_map": {}}, "does not know model_type 'mine'"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(folder, name, content, said):
    write(folder, name, content)
    with pytest.raises(ModelError, match=said):
        embedder_of(folder)


def test_pooling_without_the_prompt_is_refused(folder):
    write(folder, "config_sentence_transformers.json", {"prompts": {"query": "q: "}})
    write(folder, "1_Pooling/config.json", {"include_prompt": False})
    with pytest.raises(ModelError, match="pooling without the prompt"):
        embedder_of(folder)


def test_a_tensor_that_is_missing_is_never_made_up(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=r"its weights lack encoder\.layer\.1\.output\.dense\.bias"
    ):
        embedder_of(folder)


def test_loading_says_nothing_of_its_own(folder, capfd):
    embedder_of(folder)
    assert capfd.readouterr() == ("", "")


def test_damaged_weights_are_one_line(folder):
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError) as error:
        embedder_of(folder)
    assert "\n" not in str(error.value)


def test_without_a_tokenizer_it_is_one_line(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match=r"no tokenizer\.json here") as error:
        embedder_of(folder)
    assert "\n" not in str(error.value)
