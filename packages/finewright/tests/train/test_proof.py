"""What was trained is the same elsewhere: in another process, from a copy, by plain transformers and PEFT."""

import json
import os
import re
from pathlib import Path

import pytest
from test_candidate import SFT_ROWS, Training
from transformers import AutoTokenizer, GenerationConfig

import tiny
from by_hand import context_of, spec_of
from finewright.lm.elsewhere import Elsewhere, ProofQuestion, answer_elsewhere
from finewright.lm.generate import Generation, Sampling, generate
from finewright.lm.load import load_lm
from finewright.lm.load_chat import load_chat
from finewright.lm.origin import origin_of
from finewright.lm.sources import LocalBase
from finewright.train.proof import Proved, prove
from finewright.train.work import Work

pytestmark = pytest.mark.torch

OUR_ANSWER = "our answer against plain transformers' choice"
OTHER = "<|endoftext|>"
NO_END = "answers that plain transformers does not end"


@pytest.fixture
def base(tmp_path: Path) -> LocalBase:
    """A base checkpoint like Qwen's: its files call another token the end than its chat template."""
    folder = tmp_path / "home" / "tiny"
    model, tokenizer = tiny.tiny_model("llama"), tiny.tiny_tokenizer()
    tokenizer.eos_token = OTHER
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, do_sample=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return LocalBase("home/tiny", folder, "0" * 64, "unknown")


def proved(training: Training, **settings: object) -> Proved:
    """Train, and prove it."""
    outcome = training.train(epochs=30, **settings)
    assert training.run is not None
    spec = spec_of(base_models=[training.base.name])
    context = context_of(training.root, training.run, spec)
    rows = training.encoded(training.rows)
    work = Work(context, training.spec, training.base, training.chat, rows, [])
    assert work.folder.is_dir()
    return prove(work, outcome.stored)


@pytest.fixture
def training(tmp_path: Path, base: LocalBase) -> Training:
    (tmp_path / "root").mkdir()
    return Training(tmp_path / "root", base, SFT_ROWS, [])


def folder_of(training: Training) -> Path:
    assert training.run is not None
    (folder,) = (training.run.root / "train").glob("*/adapter")
    return folder


@pytest.mark.parametrize("kind", ["lora", "none"])
def test_the_result_answers_alike_and_ends_elsewhere_and_names_no_path_of_this_machine(
    kind: str, training: Training, tmp_path: Path
) -> None:
    found = proved(training, adapter={"type": kind})
    of = {proof.name: proof for proof in found.proofs}
    assert of[OUR_ANSWER].passed
    assert of[OUR_ANSWER].measured == 0
    assert of[NO_END].passed
    assert re.search(
        r"transformers \d.*, PEFT \d.*, another process, \d+ tokens", of[NO_END].detail
    )
    folder, end = folder_of(training), training.chat.tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = json.loads((folder / "generation_config.json").read_text())
    assert config.pop("transformers_version")
    other = training.chat.tokenizer.convert_tokens_to_ids(OTHER)
    assert config == {"eos_token_id": [end, other], "pad_token_id": 0}  # and nothing of sampling
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<pad>")
    assert training.chat.tokenizer.eos_token == OTHER
    # PEFT asks the base, whose files lie beyond the adapter; a whole model has its own
    assert ("named" in "".join(p.message for p in found.problems)) == (kind == "lora")
    for path in folder.iterdir():
        content = path.read_bytes()
        assert str(tmp_path).encode() not in content, path
        assert b"/home/" not in content, path
    if kind == "lora":
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "tiny"


def test_what_differs_elsewhere_is_found(training: Training, tmp_path: Path) -> None:
    proved(training, prove_elsewhere=False)
    folder, base, chat = folder_of(training), training.base, load_chat(training.base)
    row = training.encoded(SFT_ROWS)[0].sequences[0]
    prompt = row.input_ids[: row.trained.index(True)]
    sampling = Sampling(max_new_tokens=20)
    lm = load_lm(base, folder, dtype="fp32")
    (ours,) = generate(lm, [prompt], stop_ids=chat.stop_ids, sampling=sampling)
    wrong = Generation((*ours.ids[:-1], 7), ours.stop_id)
    GenerationConfig(eos_token_id=5, pad_token_id=0).save_pretrained(folder)
    found = answer_elsewhere(base, folder, ProofQuestion(prompt, 20, wrong), "fp32")
    assert isinstance(found, Elsewhere)
    assert found.gap > 0.01
    assert len(found.ids) == 20  # nothing but the limit ended it
    assert found.ids[: len(ours.ids)] == ours.ids
    (folder / "adapter_model.safetensors").write_bytes(b"cut")
    why = answer_elsewhere(base, folder, ProofQuestion(prompt, 20, ours), "fp32")
    assert isinstance(why, str)
    assert "Error" in why


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("smollm2-135m-instruct", "", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("models/own", "", "own"),
        ("/srv/models/own/", "", "own"),
        ("~/own.gguf", "", "own"),
        ("models/own", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("models/own", "/srv/models/own", "own"),
    ],
)
def test_a_base_is_called_what_others_call_it(
    name: str, declared: str, expected: str, tmp_path: Path
) -> None:
    folder = tmp_path / (name if name.startswith("models") else "cache")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"_name_or_path": declared}))
    assert origin_of(LocalBase(name, folder, "", "")).name == expected


def test_a_hub_models_commit_is_its_revision(tmp_path: Path) -> None:
    base = LocalBase("org/model@main", tmp_path, "", "", revision="ab12" * 10)
    assert origin_of(base) == ("org/model", "ab12" * 10)


SESSION = """
import json, os
rest = dict(gap=0.0, declared=[], transformers="", peft="", seconds=0.0)
print(json.dumps(dict(ids=[os.getsid(0)], **rest)))
"""


def answer_of(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere | str:
    """What is made of another program's answer, or of its end."""
    (folder / "program.py").write_text(program)
    monkeypatch.setattr("finewright.lm.elsewhere._PROGRAM", folder / "program.py")
    (folder / "stored").mkdir()
    question = ProofQuestion((1,), 1, Generation((1,), None))
    return answer_elsewhere(tiny.base_of(folder), folder / "stored", question, "fp32")


def test_ctrl_c_of_a_terminal_does_not_end_the_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answer_of(SESSION, tmp_path, monkeypatch)
    assert isinstance(found, Elsewhere)
    assert found.ids[0] != os.getsid(0)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise OSError('no weights')", "OSError: no weights"),
        ("raise SystemExit(3)", "it ended with 3"),
        ("print('[]')", "it printed something else at its end: '[]'"),
    ],
)
def test_another_process_that_gives_no_answer_says_why_in_a_line(
    program: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer_of(program, tmp_path, monkeypatch) == why
