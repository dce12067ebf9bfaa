import pytest
from pydantic import BaseModel

from finewright.schema.aliases import PEERS, close_choice, did_you_mean, kinds_at, spec_keys
from finewright.schema.nodes import Loc
from finewright.schema.run import RunSpec


def test_every_peer_spelling_leads_to_a_key_we_have() -> None:
    assert set(PEERS) <= set(spec_keys())


def test_no_peer_spelling_leads_to_two_keys() -> None:
    spellings = [peer for peers in PEERS.values() for peer in peers]
    assert len(spellings) == len(set(spellings))


def test_the_keys_of_a_spec_are_those_of_its_json_schema() -> None:
    schema = RunSpec.model_json_schema()
    models = {"": schema, **schema["$defs"]}
    last_parts = {key.rpartition(".")[2] for key in spec_keys()}
    assert last_parts == {name for model in models.values() for name in model["properties"]}


@pytest.mark.parametrize(
    ("loc", "meant"),
    [
        (("evalute",), "'evaluate'"),
        (("train", "learning_rte"), "'learning_rate'"),
        (("train", "learningRate"), "'learning_rate'"),
        (("train", "learning-rate"), "'learning_rate'"),
        (("data", "sources", 3, "pth"), "'path'"),
        (("evaluate", "metric"), "'metrics'"),
    ],
)
def test_a_slip_gets_the_key_beside_it(loc: Loc, meant: str) -> None:
    assert did_you_mean(loc) == f"; did you mean {meant}?"


@pytest.mark.parametrize(
    ("loc", "meant"),
    [
        (("base_model",), "'base_models'"),
        (("model_name_or_path",), "'base_models'"),
        (("train", "base_model"), "'base_models' at the top level"),
        (("lora_r",), "'train.adapter.r'"),
        (("lora_rank",), "'train.adapter.r'"),
        (("train", "adapter", "lora_alpha"), "'alpha'"),
        (("lora_dropout",), "'train.adapter.dropout'"),
        (("lora_target",), "'train.adapter.target_modules'"),
        (("sequence_len",), "'train.max_length'"),
        (("train", "cutoff_len"), "'max_length'"),
        (("num_train_epochs",), "'train.epochs'"),
        (("micro_batch_size",), "'train.batch_size'"),
        (("gradient_accumulation_steps",), "'train.gradient_accumulation'"),
        (("train", "lr"), "'learning_rate'"),
        (("lr_scheduler_type",), "'train.lr_scheduler'"),
        (("warmup_steps",), "'train.warmup_ratio'"),
        (("val_set_size",), "'data.eval_fraction'"),
        (("datasets",), "'data.sources'"),
        (("training_file",), "'data.sources'"),
        (("clip_grad_norm",), "'train.max_grad_norm'"),
    ],
)
def test_a_peers_spelling_gets_our_key(loc: Loc, meant: str) -> None:
    assert did_you_mean(loc) == f"; did you mean {meant}?"


def test_a_slip_in_a_peers_spelling_gets_our_key() -> None:
    assert did_you_mean(("lora_rnk",)) == "; did you mean 'train.adapter.r'?"


@pytest.mark.parametrize(
    ("loc", "meant"),
    [
        (("learning_rate",), "'train.learning_rate'"),
        (("train", "r"), "'train.adapter.r'"),
        (
            ("seed",),
            "'data.canaries.seed' or 'train.seed' or 'evaluate.seed' or 'measure.seed' or 'redteam.seed'"
            " or 'tune.seed'",
        ),
        (("train", "base_models"), "'base_models' at the top level"),
    ],
)
def test_a_key_in_the_wrong_place_gets_the_right_place(loc: Loc, meant: str) -> None:
    assert did_you_mean(loc) == f"; did you mean {meant}?"


@pytest.mark.parametrize("loc", [("packing",), ("train", "load_in_4bit"), ("x",), ("",)])
def test_a_key_that_resembles_nothing_gets_no_guess(loc: Loc) -> None:
    assert did_you_mean(loc) == ""


def test_a_choice_spelled_nearly_right_is_offered() -> None:
    assert close_choice("cosin", ["cosine", "linear"]) == "; did you mean 'cosine'?"
    assert close_choice("zzz", ["cosine", "linear"]) == ""


@pytest.mark.parametrize(
    ("loc", "kinds"),
    [
        (("train", "epochs"), {float}),
        (("train", "max_steps"), {int, type(None)}),
        (("base_models", 4), {str}),
        (("data", "sources", 0, "path"), {str}),
        (("remote_code", "any"), {str}),
        (("train", "no"), set()),
        (("base_models", "x"), set()),
        (("name", "x"), set()),
    ],
)
def test_the_kinds_at_a_place_are_those_of_the_model(loc: Loc, kinds: set[object]) -> None:
    assert set(kinds_at(loc)) == kinds


def test_the_kinds_at_a_section_are_models() -> None:
    kinds = kinds_at(("train", "adapter"))
    assert kinds
    assert all(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)
