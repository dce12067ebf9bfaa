"""Loading a base model: what it computes comes from safetensors alone, and its own code runs on consent."""

import json
import pickle  # noqa: TID251 - to show that none is read
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import dynamic_module_utils

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.kinds import save_adapter
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import pack
from finewright.lm.load import load_lm, load_model
from finewright.lm.load_chat import load_chat
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import LoraSpec
from finewright.trust import code_digest
from trusting import trust_code

pytestmark = pytest.mark.torch

IDS = torch.arange(3, 15)[None]


def base_of(folder: Path) -> LocalBase:
    return LocalBase("tiny", folder, "0" * 64, "unknown")


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refusal(folder: Path, consent: str = "") -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(base_of(folder), dtype="fp32", consent=consent)
    return caught.value


def test_a_folder_gives_the_model_that_was_saved(tiny_folder: Path) -> None:
    model = load_model(base_of(tiny_folder), dtype="fp32")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, tiny.tiny_model("llama")(IDS).logits)
    assert not model.training


@pytest.mark.parametrize(("name", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_the_weights_have_the_number_format_asked_for(
    name: str, dtype: torch.dtype, tiny_folder: Path
) -> None:
    model = load_model(base_of(tiny_folder), dtype=name)
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_a_stored_adapter_is_put_on(tiny_folder: Path, tmp_path: Path) -> None:
    model, spec = tiny.tiny_model("llama"), LoraSpec(r=2)
    adapters = add_lora(model, spec, seed=0)
    for adapter in adapters.values():
        adapter.lora_B.data.fill_(0.1)
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_adapter(folder, model, adapters, spec, base=tiny.base_of(Path("x")))

    lm = load_lm(base_of(tiny_folder), folder, dtype="fp32")

    with torch.no_grad():
        assert torch.allclose(lm.model(IDS).logits, model(IDS).logits, atol=1e-5)
    assert load_lm(base_of(tiny_folder), None, dtype="fp32").adapters == {}


def test_the_chat_has_the_folders_template_and_end_of_turn(tiny_folder: Path) -> None:
    chat = load_chat(base_of(tiny_folder))
    messages = [{"role": "user", "content": "Hi"}]
    assert chat.render(messages, ask=True) == tiny.tiny_chat().render(messages, ask=True)
    assert chat.end_of_turn == tiny.tiny_chat().end_of_turn


def test_a_template_file_is_read(tiny_folder: Path) -> None:
    (tiny_folder / "chat_template.jinja").write_text(
        "{% for m in messages %}<{{ m['content'] }}>{% endfor %}"
    )
    chat = load_chat(base_of(tiny_folder))
    assert chat.render([{"role": "user", "content": "Hi"}]) == "<Hi>"
    # The template writes no special token, so the declared end tokens of model and tokenizer serve.
    assert chat.end_of_turn == {tiny.tiny_tokenizer().eos_token_id}


def test_end_tokens_of_the_generation_config_serve_too(tiny_folder: Path) -> None:
    (tiny_folder / "chat_template.jinja").write_text("{{ messages[-1]['content'] }}")
    (tiny_folder / "generation_config.json").write_text('{"eos_token_id": [7, 9]}')
    eos = tiny.tiny_tokenizer().eos_token_id
    assert load_chat(base_of(tiny_folder)).end_of_turn == {eos, 7, 9}


def test_a_folder_without_a_tokenizer_is_refused(tiny_folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tiny_folder / name).unlink()
    with pytest.raises(ModelError, match=r"base model 'tiny': no usable tokenizer"):
        load_chat(base_of(tiny_folder))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 3}', '{"version": "1.0"}'])
def test_a_damaged_tokenizer_is_refused(text: str, tiny_folder: Path) -> None:
    (tiny_folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match=r"base model 'tiny': no usable tokenizer"):
        load_chat(base_of(tiny_folder))


def test_a_folder_without_a_chat_template_is_refused_with_the_mend(tiny_folder: Path) -> None:
    (tiny_folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template") as caught:
        load_chat(base_of(tiny_folder))
    assert f"{tiny_folder}/chat_template.jinja" in caught.value.hint


@pytest.mark.parametrize("text", ["{% for m in messages %}", "{{ nope() }}"])
def test_a_broken_chat_template_is_refused(text: str, tiny_folder: Path) -> None:
    (tiny_folder / "chat_template.jinja").write_text(text)
    with pytest.raises(ModelError, match="chat template"):
        load_chat(base_of(tiny_folder))


def test_a_damaged_generation_config_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "generation_config.json").write_text("{")
    with pytest.raises(ModelError, match="generation_config"):
        load_chat(base_of(tiny_folder))


@pytest.mark.parametrize("size", [0, 4, 2000, -100])
def test_cut_weights_are_refused(size: int, tiny_folder: Path) -> None:
    path = tiny_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert str(refusal(tiny_folder)).startswith("base model 'tiny': ")


def test_a_missing_tensor_is_refused_rather_than_drawn_at_random(tiny_folder: Path) -> None:
    path = tiny_folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    assert "model.layers.1.mlp.down_proj.weight" in str(refusal(tiny_folder))


def test_a_tied_head_need_not_be_stored(tmp_path: Path) -> None:
    tiny.tiny_model("qwen2").save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    model = load_model(base_of(tmp_path), dtype="fp32")
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_tensor_of_another_shape_is_refused(tiny_folder: Path) -> None:
    path = tiny_folder / "model.safetensors"
    save_file(
        {**load_file(path), "model.norm.weight": torch.ones(31)}, path, metadata={"format": "pt"}
    )
    assert "base model 'tiny'" in str(refusal(tiny_folder))


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden_size": "wide"},
        {"num_attention_heads": 5},
        {"hidden_act": "nope"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_config_that_makes_no_model_is_refused(
    fields: dict[str, object], tiny_folder: Path
) -> None:
    change(tiny_folder / "config.json", **fields)
    assert str(refusal(tiny_folder)).startswith("base model 'tiny': ")


@pytest.mark.parametrize("method", ["fp8", "gptq", "nope"])
def test_quantised_weights_are_refused(method: str, tiny_folder: Path) -> None:
    change(tiny_folder / "config.json", quantization_config={"quant_method": method})
    assert "its weights are quantised" in str(refusal(tiny_folder))


def test_a_family_that_is_no_causal_language_model_is_refused(tiny_folder: Path) -> None:
    change(tiny_folder / "config.json", model_type="clip_vision_model")
    assert "base model 'tiny'" in str(refusal(tiny_folder))


def test_an_unknown_family_without_code_is_refused(tiny_folder: Path) -> None:
    change(tiny_folder / "config.json", model_type="tinyx")
    assert "transformers does not know model_type 'tinyx'" in str(refusal(tiny_folder))


class Payload:
    """Unpickling this writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return Path.write_text, (self.marker, "ran")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "model.pt"])
def test_a_pickle_is_never_loaded_whatever_its_name(
    name: str, tiny_folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    (tiny_folder / "model.safetensors").unlink()
    (tiny_folder / name).write_bytes(pickle.dumps(Payload(marker)))
    refusal(tiny_folder)
    assert not marker.exists()


def test_an_honest_pickle_is_not_loaded_either(tiny_folder: Path) -> None:
    weights = tiny_folder / "model.safetensors"
    torch.save(load_file(weights), tiny_folder / "pytorch_model.bin")  # noqa: TID251
    weights.unlink()
    refusal(tiny_folder)


def test_an_index_cannot_smuggle_a_pickle_in(tiny_folder: Path) -> None:
    weights = tiny_folder / "model.safetensors"
    tensors = load_file(weights)
    torch.save(tensors, tiny_folder / "pytorch_model.bin")  # noqa: TID251
    weights.rename(tiny_folder / "decoy.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "pytorch_model.bin")}
    (tiny_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "no safetensors file" in str(refusal(tiny_folder))


# The custom family is a llama under another name whose module leaves a mark when it is imported.
CONFIGURATION = """
from transformers import LlamaConfig

class TinyXConfig(LlamaConfig):
    model_type = "tinyx"
"""
MODELING = """
from pathlib import Path

from transformers import LlamaForCausalLM

from .configuration_tinyx import TinyXConfig

Path({marker!r}).write_text("ran")

class TinyXForCausalLM(LlamaForCausalLM):
    config_class = TinyXConfig
"""


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def custom_folder(
    tiny_folder: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A model folder that brings its own code, and a place where transformers may copy that code to."""
    modules = tmp_path / "modules"
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(modules))
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        monkeypatch.delitem(sys.modules, name)
    (tiny_folder / "configuration_tinyx.py").write_text(CONFIGURATION)
    (tiny_folder / "modeling_tinyx.py").write_text(MODELING.format(marker=str(marker)))
    auto_map = {
        "AutoConfig": "configuration_tinyx.TinyXConfig",
        "AutoModelForCausalLM": "modeling_tinyx.TinyXForCausalLM",
    }
    change(tiny_folder / "config.json", model_type="tinyx", auto_map=auto_map)
    return tiny_folder


def test_code_of_the_model_does_not_run_unasked(custom_folder: Path, marker: Path) -> None:
    error = refusal(custom_folder)
    assert "does not run unasked" in str(error)
    assert f"sha256:{code_digest(custom_folder)}" in error.hint
    assert not marker.exists()


@pytest.mark.parametrize("consent", ["sha256:" + "0" * 64, "sha256:", "yes", "é", "true"])
def test_code_does_not_run_on_a_consent_to_other_code(
    consent: str, custom_folder: Path, marker: Path
) -> None:
    assert "does not run unasked" in str(refusal(custom_folder, consent))
    with pytest.raises(ModelError, match="does not run unasked"):
        load_chat(base_of(custom_folder), consent=consent)
    assert not marker.exists()


def test_code_that_changed_after_the_consent_does_not_run(
    custom_folder: Path, marker: Path
) -> None:
    consent = code_digest(custom_folder)
    trust_code(consent)
    with (custom_folder / "modeling_tinyx.py").open("a") as file:
        file.write("\n# harmless?")
    refusal(custom_folder, consent)
    assert not marker.exists()


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_code_runs_on_a_consent_to_exactly_it(
    prefix: str, custom_folder: Path, marker: Path
) -> None:
    consent = prefix + code_digest(custom_folder)
    assert "this user has not said to trust it" in str(refusal(custom_folder, consent))
    assert not marker.exists()
    trust_code(consent)
    lm = load_lm(base_of(custom_folder), None, dtype="fp32", consent=consent)
    assert marker.read_text() == "ran"
    assert type(lm.model).__name__ == "TinyXForCausalLM"
    with torch.no_grad():
        plain = tiny.tiny_model("llama")(IDS).logits
        assert torch.allclose(lm.model(IDS).logits, plain, atol=1e-5)
    assert lm.token_logps(pack(tiny.random_rows([5, 7]))).isfinite().all()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_another_place_is_not_covered_by_a_consent(
    name: str, custom_folder: Path, marker: Path
) -> None:
    change(
        custom_folder / name, auto_map={"AutoTokenizer": "some-org/other--tokenizer_x.Tokenizer"}
    )
    consent = code_digest(custom_folder)
    trust_code(consent)
    for load in (load_chat, lambda base, consent: load_model(base, dtype="fp32", consent=consent)):
        with pytest.raises(ModelError, match=r"some-org/other--tokenizer_x\.Tokenizer"):
            load(base_of(custom_folder), consent=consent)
    assert not marker.exists()


def test_code_beside_a_known_family_is_ignored(custom_folder: Path, marker: Path) -> None:
    change(custom_folder / "config.json", model_type="llama")
    model = load_model(base_of(custom_folder), dtype="fp32", consent=code_digest(custom_folder))
    assert type(model).__name__ == "LlamaForCausalLM"
    assert not marker.exists()


def test_the_digest_of_the_code_depends_on_names_and_contents(tmp_path: Path) -> None:
    digests = set()
    for name, content in (("a.py", "x"), ("a.py", "y"), ("b.py", "x")):
        folder = tmp_path / f"{name}{content}"
        folder.mkdir()
        (folder / name).write_text(content)
        digests.add(code_digest(folder))
    assert len(digests) == 3


def test_a_switch_that_the_template_does_not_know_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="no switch 'enable_thinking'"):
        load_chat(base_of(tiny_folder), options={"enable_thinking": False})


def test_switches_hold_in_what_is_asked(tiny_folder: Path) -> None:
    source = "{{ 'Reasoning: ' + effort | default('high') }}\n" + tiny.TEMPLATES["chatml"]
    (tiny_folder / "chat_template.jinja").write_text(source)
    chat = load_chat(base_of(tiny_folder), options={"effort": "low"})
    assert chat.render([{"role": "user", "content": "Hi"}], ask=True).startswith("Reasoning: low")


@pytest.mark.parametrize("name", ["sub/modeling_x.X", "../modeling_x.X", "/srv/modeling_x.X"])
def test_code_of_another_folder_is_not_covered_by_a_consent(
    name: str, custom_folder: Path, marker: Path
) -> None:
    change(custom_folder / "config.json", auto_map={"AutoModelForCausalLM": name})
    consent = code_digest(custom_folder)
    trust_code(consent)
    assert name in str(refusal(custom_folder, consent))
    assert not marker.exists()


def test_an_adapter_beside_a_model_does_not_bring_another_base(
    custom_folder: Path, marker: Path, tmp_path: Path
) -> None:
    consent = code_digest(custom_folder)
    trust_code(consent)
    other = {"peft_type": "LORA", "base_model_name_or_path": str(tmp_path / "other")}
    (custom_folder / "adapter_config.json").write_text(json.dumps(other))
    assert "the base that its adapter_config.json names" in str(refusal(custom_folder, consent))
    assert not marker.exists()


@pytest.mark.parametrize("part", [{}, {"text_config": {}}])
def test_kernels_of_another_place_are_not_loaded(
    part: dict[str, object], tiny_folder: Path
) -> None:
    wanted = {"attn_implementation": "someone/kernels:attention"}
    fields = {"text_config": wanted} if part else wanted
    change(tiny_folder / "config.json", **fields)
    assert "wants kernels of another place: someone/kernels" in str(refusal(tiny_folder))


def test_a_tokenizers_own_code_does_not_run_beside_a_known_family(
    tiny_folder: Path, marker: Path
) -> None:
    (tiny_folder / "tok.py").write_text(f"open({str(marker)!r}, 'w').write('ran')\nclass T: ...\n")
    change(tiny_folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tok.T", "tok.T"]})
    load_chat(base_of(tiny_folder))
    assert not marker.exists()
