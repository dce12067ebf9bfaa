"""The packaged model for real: fetched, checked, converted, and it answers."""

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.network]


def test_smollm2_is_converted_once_and_answers(tmp_path, monkeypatch):
    from finewright.compare.local import LoadedModel
    from finewright.lm import sources
    from finewright.lm.load import load_lm
    from finewright.lm.load_chat import load_chat
    from finewright.workbench.chat import Manner, answer

    base = sources.locate("smollm2-135m-instruct", tmp_path)
    monkeypatch.setattr(sources, "_join_members", pytest.fail)
    assert sources.locate("smollm2-135m-instruct", tmp_path) == base
    assert sources.num_parameters(base.folder) == 134_515_008
    lm, chat = load_lm(base, None, dtype="fp32"), load_chat(base)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    manner = Manner(max_new_tokens=16, temperature=0.0, seed=0)
    spoken = list(answer(LoadedModel("it", lm, chat), question, manner))
    assert {piece.kind for piece in spoken} == {"content"}
    assert "".join(piece.text for piece in spoken) == "The capital of France is Paris."


def test_a_conversion_with_other_tokens_is_refused(tmp_path):
    from transformers import AutoTokenizer

    from finewright.catalog.models import read_packaged_models
    from finewright.errors import ModelError
    from finewright.lm import gguf, sources

    base = sources.locate("smollm2-135m-instruct", tmp_path)
    packaged = read_packaged_models()["smollm2-135m-instruct"]
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    gguf.check_packaged(tokenizer, packaged)
    # What transformers makes of the file by itself: digits are not split from the spaces before them.
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    with pytest.raises(ModelError, match="differs from the catalog at token"):
        gguf.check_packaged(tokenizer, packaged)
