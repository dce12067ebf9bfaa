import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.errors import SpecError
from finewright.schema.load import LoadedSpec, json_schema, load_spec

GOOD = """\
name: support-bot
base_models: [smollm2-135m]
data:
  sources:
    - {path: tickets.jsonl, license: MIT}
    - path: more.jsonl
train:
  learning_rate: 1e-4
  adapter:
    r: 8
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "run.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path, *overrides: str) -> list[str]:
    """The lines of the complaint, without the folder."""
    with pytest.raises(SpecError) as caught:
        load_spec(path, overrides)
    return str(caught.value).replace(f"{path.parent}/", "").split("\n")


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in GOOD
    return write(folder, GOOD.replace(old, new, 1))


def test_a_good_spec_is_read(tmp_path: Path) -> None:
    loaded = load_spec(write(tmp_path, GOOD))
    assert loaded.spec.name == "support-bot"
    assert [source.path for source in loaded.spec.data.sources] == ["tickets.jsonl", "more.jsonl"]
    assert loaded.spec.train.adapter.r == 8
    assert loaded.text == GOOD
    assert loaded.data == yaml.safe_load(GOOD)


def test_an_exponent_without_a_dot_is_a_number(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, GOOD)).spec.train.learning_rate == 0.0001


def test_the_keys_that_were_written_are_known(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, GOOD), ["evaluate.seed=3"]).set_keys == {
        "name",
        "base_models",
        "base_models.0",
        "data",
        "data.sources",
        "data.sources.0",
        "data.sources.0.path",
        "data.sources.0.license",
        "data.sources.1",
        "data.sources.1.path",
        "train",
        "train.learning_rate",
        "train.adapter",
        "train.adapter.r",
        "evaluate",
        "evaluate.seed",
    }


def test_paths_lead_from_the_specs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    loaded = load_spec(write(tmp_path, GOOD))
    assert loaded.resolve("data/a.jsonl") == tmp_path / "data" / "a.jsonl"
    assert loaded.resolve("/data/a.jsonl") == Path("/data/a.jsonl")
    assert loaded.resolve("~/a.jsonl") == Path("/home/ada/a.jsonl")
    assert loaded.resolve("~a.jsonl") == tmp_path / "~a.jsonl"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    loaded = load_spec(write(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()))
    assert (loaded.spec.name, loaded.text) == ("support-bot", GOOD)


def test_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("\n", "\r\n").replace("r: 8", "r: 0"))
    assert refused(path) == ["run.yaml:10: train.adapter.r: must be greater than 0, not 0"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
name: Support Bot
evalute: {}
base_model: x
data:
  sources: []
  eval_fraction: yes
  eval_fraction: 0.1
train:
  method: ssft
  learning_rte: 1
  max_length: 010
  adapter: {r: 0, lora_alpha: 2}
  epochs: .inf
no: 1
"""
    assert refused(write(tmp_path, text)) == [
        "run.yaml:1: name: must be 1 to 63 lower-case letters, digits and hyphens, and not start "
        "with a hyphen, not 'Support Bot'",
        "run.yaml:1: base_models: required key is missing",
        "run.yaml:2: evalute: unknown key; did you mean 'evaluate'?",
        "run.yaml:3: base_model: unknown key; did you mean 'base_models'?",
        "run.yaml:5: data.sources: must have at least 1 item(s), not empty",
        "run.yaml:7: data.eval_fraction: duplicate key; it is already at run.yaml:6",
        "run.yaml:9: train.method: must be one of 'sft', 'dpo', 'orpo', 'simpo', 'kto', 'reward', "
        "'grpo', 'ppo', 'distill', 'gkd', 'linear', 'labels', "
        "'label_text', not 'ssft'; did you mean 'sft'?",
        "run.yaml:10: train.learning_rte: unknown key; did you mean 'learning_rate'?",
        "run.yaml:11: train.max_length: YAML reads `010` as octal or base 60; write it plainly or "
        "in quotes",
        "run.yaml:12: train.adapter.r: must be greater than 0, not 0",
        "run.yaml:12: train.adapter.lora_alpha: unknown key; did you mean 'alpha'?",
        "run.yaml:13: train.epochs: must be a finite number, not .inf",
        "run.yaml:14: no: a key must be plain text, and YAML reads this as true or false; "
        'write "no" in quotes',
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "support-bot",
            "no",
            '1: name: must be text, not `no`, which YAML reads as false; write "no" in quotes',
        ),
        (
            "support-bot",
            "007",
            "1: name: YAML reads `007` as octal or base 60; write it",
        ),
        ("support-bot", "12", '1: name: must be text, not 12; write "12" in quotes'),
        ("support-bot", "", "1: name: must be text, not empty"),
        ("[smollm2-135m]", "smollm2", "2: base_models: must be a list, not 'smollm2'; write [smol"),
        ("1e-4", "yes", "8: train.learning_rate: must be a number, not `yes`, which YAML reads as"),
        ("1e-4", "50%", "8: train.learning_rate: must be a number, not '50%'; write 0.5"),
        ("r: 8", "r: 1k", "10: train.adapter.r: must be a whole number, not '1k'; write 1000"),
        ("r: 8", "r: 1e2", "10: train.adapter.r: must be a whole number, not '1e2'; write 100"),
        ("r: 8", "r: 90%", "10: train.adapter.r: must be a whole number, not '90%'"),
        ("1e-4", "1e-4x", "8: train.learning_rate: must be a number, not '1e-4x'"),
        ("1e-4", "2", "8: train.learning_rate: must be less than 1, not 2"),
        ("1e-4", "1e-4\n  epochs: 1000000000000", "9: train.epochs: must be at most 10000, not 1"),
        ("r: 8", "r: 8.5", "10: train.adapter.r: must be a whole number, not 8.5"),
        (
            "r: 8",
            "r: on",
            "10: train.adapter.r: must be a number, not `on`, which YAML reads",
        ),
        ("path: more", "paht: more", "6: data.sources.1.path: required key is missing"),
        ("{path: tickets.jsonl, license: MIT}", "x", "5: data.sources.0: must be keys with values"),
        ("train:", "evaluate:\ntrain:", "7: evaluate: must be keys with values, not empty"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    assert refused(changed(tmp_path, old, new))[0].startswith(f"run.yaml:{line}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "run.yaml:1: the file is empty; a spec needs name, base_models, data"),
        (b"# only\n", "run.yaml:1: the file is empty; a spec needs name, base_models, data"),
        (b"- a\n", "run.yaml:1: the top level must be keys with values; a spec needs name,"),
        (b"hello\n", "run.yaml:1: the top level must be keys with values; a spec needs name,"),
        (b"name: x\nb: \xe9\n", "run.yaml:2: byte 0xe9 is not UTF-8"),
        ("name: x".encode("utf-16"), "run.yaml:1: is UTF-16, not UTF-8"),
        (b"name: x\n  b: c\n", "run.yaml:2: not valid YAML at column 4: mapping values are not"),
        (b"\x00", "run.yaml:1: not valid YAML: control characters are not allowed"),
        (b"#" * 1_000_001, "run.yaml: over 1 MB is no spec"),
    ],
)
def test_a_file_that_is_no_spec_is_told(tmp_path: Path, content: bytes, line: str) -> None:
    (found,) = refused(write(tmp_path, content))
    assert found.startswith(line)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.yaml") == ["no.yaml: no such file"]


def test_a_pipe_is_no_spec_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert refused(path) == [f"{path.name}: is no regular file"]


def test_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    assert refused(tmp_path / "dir") == ["dir: is a folder, not a spec file"]


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refused(tmp_path / "run.yaml") == ["run.yaml: cannot be read: Permission denied"]


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(SpecError, match="is no regular file"):
        load_spec(Path("/dev/zero"))


def test_many_mistakes_are_cut_and_counted(tmp_path: Path) -> None:
    text = GOOD + "".join(f"key{i}: {i}\n" for i in range(20_000))
    with pytest.raises(SpecError) as caught:
        load_spec(write(tmp_path, text))
    assert len(str(caught.value).split("\n")) == 50
    assert caught.value.hint == "and 19950 more mistakes"


def test_an_override_replaces_and_adds(tmp_path: Path) -> None:
    loaded = load_spec(
        write(tmp_path, GOOD),
        [
            "train.learning_rate=2e-5",
            "train.adapter.target_modules=[q_proj, v_proj]",
            "data.sources.0.path=other.jsonl",
            "data.sources.2={path: third.jsonl}",
            "evaluate.data.0.path=held-out=1.jsonl",
            "base_models.0=a",
            "train.epochs=1",
            "train.epochs=2",
        ],
    )
    spec = loaded.spec
    assert spec.train.learning_rate == 2e-5
    assert spec.train.adapter.target_modules == ("q_proj", "v_proj")
    assert spec.train.adapter.r == 8
    paths = [source.path for source in spec.data.sources]
    assert paths == ["other.jsonl", "more.jsonl", "third.jsonl"]
    assert spec.data.sources[0].license == "MIT"
    assert spec.evaluate.data[0].path == "held-out=1.jsonl"
    assert spec.base_models == ("a",)
    assert spec.train.epochs == 2.0
    assert loaded.text == GOOD


def test_an_override_mends_a_mistake_of_the_file(tmp_path: Path) -> None:
    path = changed(tmp_path, "r: 8", "r: 0")
    assert load_spec(path, ["train.adapter.r=4"]).spec.train.adapter.r == 4


def test_a_base_model_with_a_dot_is_consented_to_as_a_mapping(tmp_path: Path) -> None:
    loaded = load_spec(write(tmp_path, GOOD), ["remote_code={qwen2.5-0.5b: abc}"])
    assert loaded.spec.remote_code == {"qwen2.5-0.5b": "abc"}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("train.learning_rte=1", "train.learning_rte: unknown key; did you mean 'learning_rate'?"),
        ("trian.epochs=1", "trian: unknown key; did you mean 'train'?"),
        ("lora_r=1", "lora_r: unknown key; did you mean 'train.adapter.r'?"),
        ("train.adapter.r=0", "train.adapter.r: must be greater than 0, not 0"),
        ("train.adapter={r: 0}", "train.adapter.r: must be greater than 0, not 0"),
        ("train.adapter.r=", "train.adapter.r: must be a whole number, not empty"),
        ("data.sources.2.owner=me", "data.sources.2.path: required key is missing"),
        ("data.sources.9.path=x", "data.sources is a list; its next item is number 2"),
        ("data.sources.x.path=x", "data.sources is a list; its next item is number 2"),
        ("name.x=1", "name is a plain value and has no 'x'"),
        ("train.epochs=[", "train.epochs: not valid YAML at column 1: did not find expected node"),
        ("train.epochs=!!python/name:os.system", "train.epochs: the YAML tag tag:yaml.org,2002:"),
        ("train.epochs", "write it as key=value, such as train.epochs=1"),
        ("=1", "write it as key=value, such as train.epochs=1"),
        ("train..epochs=1", "write it as key=value, such as train.epochs=1"),
        ("a." * 5000 + "b=1", "write it as key=value, such as train.epochs=1"),
        ("name=\udce9", "name: holds bytes that are not UTF-8"),
    ],
)
def test_a_mistake_in_an_override_is_told_as_one(tmp_path: Path, override: str, line: str) -> None:
    (found,) = refused(write(tmp_path, GOOD), override)
    where, _, what = found.partition(f": {line[:20]}")
    assert where.startswith("--set ")
    assert f"{line[:20]}{what}".startswith(line)


def test_mistakes_of_file_and_overrides_are_told_together(tmp_path: Path) -> None:
    path = changed(tmp_path, "r: 8", "rr: 8")
    assert refused(path, "train.lr=1", "x") == [
        "run.yaml:10: train.adapter.rr: unknown key",
        "--set x: write it as key=value, such as train.epochs=1",
        "--set train.lr=1: train.lr: unknown key; did you mean 'learning_rate'?",
    ]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_spec_or_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    only_a_spec_or_a_spec_error(tmp_path_factory, content, [])


SIGNS = "&a *a << ? : - [ ] { } , ! ' \" | > # % @ ` .inf 1e-4 0o7 1:30 no ~"
KEYS = "data sources train adapter 0 1 r name x"
PIECES = st.sampled_from([*GOOD.split("\n"), *SIGNS.split(" ")])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=20), st.lists(st.sampled_from(["\n", " "])))
def test_any_mix_of_yaml_gives_a_spec_or_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], ends: list[str]
) -> None:
    ends += ["\n"] * len(pieces)
    text = "".join(piece + end for piece, end in zip(pieces, ends, strict=False))
    only_a_spec_or_a_spec_error(tmp_path_factory, text.encode(), [])


@settings(max_examples=300, deadline=None)
@given(
    st.builds(
        lambda parts, value: f"{'.'.join(parts)}={value}",
        st.lists(
            st.sampled_from(KEYS.split(" ")),
            max_size=4,
        ),
        st.text(max_size=6) | st.sampled_from(["1", "[1]", "{a: 1}", "&x [*x]", "no", "1e999"]),
    )
    | st.text(max_size=20)
)
def test_any_override_gives_a_spec_or_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, override: str
) -> None:
    only_a_spec_or_a_spec_error(tmp_path_factory, GOOD.encode(), [override])


def only_a_spec_or_a_spec_error(
    factory: pytest.TempPathFactory, content: bytes, overrides: list[str]
) -> None:
    path = factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        loaded = load_spec(path, overrides)
    except SpecError as error:
        lines = str(error).split("\n")
        assert all(line.startswith((f"{path}:", "--set ")) for line in lines)
    else:
        assert isinstance(loaded, LoadedSpec)


def test_the_json_schema_takes_what_the_loader_takes() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = yaml.safe_load(GOOD.replace("1e-4", "1.0e-4"))
    jsonschema.validate(good, schema)


@pytest.mark.parametrize(
    ("old", "new"), [("r: 8", "rr: 8"), ("r: 8", "r: 0"), ("name", "nmae"), ("support-bot", "A b")]
)
def test_the_json_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    bad = yaml.safe_load(GOOD.replace("1e-4", "1.0e-4").replace(old, new, 1))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, json_schema())


def test_the_json_schema_carries_the_reasons_of_the_defaults() -> None:
    assert "default_reason" in json.dumps(json_schema())


def test_the_loader_is_light() -> None:
    code = (
        "import sys, time\nimport finewright.schema.load\ncpu = time.process_time()\n"
        "heavy = {'torch', 'numpy', 'transformers', 'typer', 'jinja2'} & set(sys.modules)\n"
        "print(cpu, *heavy)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    cpu, *heavy = result.stdout.decode().split()
    assert heavy == []
    assert float(cpu) < 0.5


@pytest.mark.parametrize(
    "train",
    [
        {"method": "dpo", "beta": 0.2},
        {"method": "grpo", "rewards": ["numeric", {"function": "regex:a+", "weight": 2}]},
        {"adapter": {"type": "prefix", "num_virtual_tokens": 4}},
        {"adapter": {"type": "none"}},
    ],
)
def test_the_json_schema_takes_every_method_and_adapter(train: dict[str, Any]) -> None:
    spec = {"name": "a", "base_models": ["x"], "data": {"sources": [{"path": "a"}]}}
    jsonschema.validate({**spec, "train": train}, json_schema())


@pytest.mark.parametrize(
    "train",
    [
        {"method": "grpo"},
        {"method": "dpo", "gamma": 1},
        {"beta": 0.2},
        {"adapter": {"type": "prefix", "r": 4}},
    ],
)
def test_the_json_schema_knows_whose_a_key_is(train: dict[str, Any]) -> None:
    spec = {"name": "a", "base_models": ["x"], "data": {"sources": [{"path": "a"}]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**spec, "train": train}, json_schema())
