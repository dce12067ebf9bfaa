"""What does not go together is refused by its reason and the way out, and what surprises is said."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from finewright.estimate.families import UNADAPTED
from finewright.schema.common import Problem
from finewright.schema.launch import LaunchSpec
from finewright.schema.train import TrainSettings
from finewright.schema.train_section import TrainSpec
from finewright.train.support import beyond_context, find_unshared, find_unsupported

LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
}
MIXTRAL = {**LLAMA, "model_type": "mixtral", "num_local_experts": 4}
QWEN3_MOE = {
    **LLAMA,
    "model_type": "qwen3_moe",
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "mlp_only_layers": [],
}
DEEPSEEK = {
    **LLAMA,
    "model_type": "deepseek_v3",
    "n_routed_experts": 4,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 12,
}
REWARDS = {"rewards": ["valid_json"]}
NONE = {"adapter": {"type": "none"}}


def spec_of(**settings: Any) -> TrainSettings:
    spec: TrainSettings = TypeAdapter(TrainSpec).validate_python({"method": "sft", **settings})
    return spec


def found(config: dict[str, Any] | None = None, **settings: Any) -> list[Problem]:
    """But where an adapter can go, which test_holders.py tests."""
    problems = find_unsupported(spec_of(**settings), config)
    return [problem for problem in problems if "is not for" not in problem.message]


def adapter(**settings: Any) -> dict[str, Any]:
    return {"adapter": settings}


@pytest.mark.parametrize(
    ("settings", "key", "message", "hint"),
    [
        (
            {"method": "grpo", **REWARDS, **NONE},
            "train.beta",
            "KL to the base needs the base, and with train.adapter.type none it is trained over",
            "set train.beta to 0, or train an adapter",
        ),
        (
            {"method": "ppo", **REWARDS, **NONE},
            "train.kl_coef",
            "KL to the base needs the base, and with train.adapter.type none it is trained over",
            "set train.kl_coef to 0, or train an adapter",
        ),
        (
            {"method": "dpo", "loss_type": "ipo", "label_smoothing": 0.1},
            "train.label_smoothing",
            "does nothing to the loss ipo, which has no swapped pairs",
            "leave it out, or set loss_type to sigmoid",
        ),
        (
            {"method": "ppo", **REWARDS, "kl_coef": 0.0, "target_kl": 6.0},
            "train.target_kl",
            "is steered to by multiplying kl_coef, which is 0 and so stays 0",
            "set kl_coef to what it starts from, such as 0.05",
        ),
    ],
)
def test_settings_that_cannot_be_right_are_refused_for_any_model(
    settings: dict[str, Any], key: str, message: str, hint: str
) -> None:
    assert found(**settings) == [Problem(level="error", key=key, message=message, hint=hint)]


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_dropout_that_an_online_method_leaves_out_is_said(method: str) -> None:
    (problem,) = found(method=method, **REWARDS, **adapter(dropout=0.1))
    assert (problem.level, problem.key) == ("warning", "train.adapter.dropout")
    assert f"{method} runs without dropout" in problem.message
    assert found(**adapter(dropout=0.1)) == found(method=method, **REWARDS) == []


def test_a_clip_that_binds_nothing_is_said() -> None:
    (problem,) = found(method="grpo", **REWARDS, epsilon_high=0.28)
    assert (problem.level, problem.key) == ("warning", "train.epsilon_high")
    assert found(method="grpo", **REWARDS, epsilon_high=0.28, num_iterations=2) == []


@pytest.mark.parametrize("more", [{"quantization": "nf4"}, {"use_dora": True}])
def test_pissa_goes_with_quantization_and_dora(more: dict[str, Any]) -> None:
    assert found(LLAMA, **adapter(type="lora", init="pissa", **more)) == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (DEEPSEEK, "deepseek_v3 keeps both as one latent (MLA)"),
        (
            {**LLAMA, "model_type": "lfm2", "layer_types": ["conv", "full_attention"]},
            "lfm2 has layers of conv",
        ),
        ({**LLAMA, "model_type": "falcon_h1", "mamba_d_ssm": 32}, "falcon_h1 has Mamba layers"),
        (
            {**LLAMA, "model_type": "granitemoehybrid", "layer_types": ["mamba", "attention"]},
            "granitemoehybrid has layers of mamba",
        ),
        (
            {**LLAMA, "model_type": "gemma3n_text", "num_kv_shared_layers": 1},
            "gemma3n_text has layers that share theirs",
        ),
    ],
)
def test_a_prefix_is_refused_where_layers_have_no_keys_and_values_of_their_own(
    config: dict[str, Any], reason: str
) -> None:
    (problem,) = found(config, **adapter(type="prefix"))
    message = f"prefixes are keys and values of every layer, and {reason}"
    assert problem == Problem(
        level="error", key="train.adapter.type", message=message, hint="use lora or prompt"
    )


@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family in UNADAPTED for name in UNADAPTED[family]]
)
@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_a_layer_on_which_nobody_would_hear_an_adapter_is_refused_by_name(
    family: str, name: str, kind: str
) -> None:
    config, feedforward = {**LLAMA, "model_type": family}, {"feedforward_modules": []}
    more = feedforward if kind == "ia3" else {}
    named = adapter(type=kind, target_modules=["in_proj", name], **more)
    assert found(config, **named) == [
        Problem(
            level="error",
            key="train.adapter.target_modules",
            message=f"{name}: {UNADAPTED[family][name]}",
            hint="leave it out of train.adapter.target_modules",
        )
    ]


def test_what_all_linear_leaves_out_is_said() -> None:
    (problem,) = found({**LLAMA, "model_type": "jamba"}, **adapter(type="lora"))
    assert (problem.level, problem.key) == ("info", "train.adapter.target_modules")
    assert problem.message.startswith("all-linear leaves out dt_proj: transformers computes with")


def test_a_prefix_goes_where_every_layer_of_a_hybrid_family_is_attention() -> None:
    granite = {**LLAMA, "model_type": "granitemoehybrid", "mamba_d_state": 8}
    assert found({**granite, "layer_types": ["attention"] * 2}, **adapter(type="prefix")) == []


def test_a_family_is_found_in_the_text_config_of_a_larger_model() -> None:
    (problem,) = found({"model_type": "vlm", "text_config": DEEPSEEK}, **adapter(type="prefix"))
    assert "deepseek_v3 keeps both as one latent" in problem.message


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_experts_that_learn_nothing_are_said(kind: str) -> None:
    assert found(MIXTRAL, **adapter(type=kind)) == [
        Problem(
            level="warning",
            key="train.adapter",
            message="the 4 experts of a layer share tensors that take no adapter: attention and what else is"
            " linear learns, the experts do not",
            hint="this is the usual way to adapt such models; it is said so that nobody expects more",
        )
    ]


@pytest.mark.parametrize(
    ("config", "share"),
    [
        # experts 3 x 4 x 32 x 48 x 2 layers = 36,864 of the 63,904 parameters of transformers' model
        (MIXTRAL, ", 58% of this model's weights,"),
        # 3 x 4 x 32 x 16 x 2 = 12,288 of 39,360
        (QWEN3_MOE, ", 31% of this model's weights,"),
        ({**DEEPSEEK, "model_type": "deepseek_v9"}, ""),
    ],
)
def test_the_share_of_weights_that_quantization_leaves_alone_is_said(
    config: dict[str, Any], share: str
) -> None:
    _, problem = found(config, **adapter(type="lora", quantization="nf4"))
    assert problem == Problem(
        level="warning",
        key="train.adapter.quantization",
        message=f"only linear layers are quantised; the experts{share} stay as they are, so memory falls"
        " little",
        hint="plan for the whole experts, or choose a dense model",
    )


@pytest.mark.parametrize(
    ("config", "targets"),
    [
        (DEEPSEEK, "all-linear"),
        (DEEPSEEK, ["q_a_proj", "mlp.down_proj"]),
        ({**QWEN3_MOE, "mlp_only_layers": [0]}, "all-linear"),
    ],
)
def test_an_adapter_that_peft_misreads_is_said(config: dict[str, Any], targets: object) -> None:
    _, problem = found(config, **adapter(type="lora", target_modules=targets))
    assert problem == Problem(
        level="warning",
        key="train.adapter.target_modules",
        message="PEFT 0.21 does not read this adapter whole: it takes gate_proj, up_proj, down_proj of dense"
        " layers for parts of the experts",
        hint="finewright reads it; for PEFT, name attention's linears in target_modules",
    )


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (QWEN3_MOE, {"type": "lora"}),
        (DEEPSEEK, {"type": "lora", "target_modules": ["q_a_proj", "o_proj"]}),
        (DEEPSEEK, {"type": "ia3"}),
    ],
)
def test_an_adapter_that_peft_reads_is_not_said_to_be_misread(
    config: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert [problem.key for problem in found(config, **adapter(**settings))] == ["train.adapter"]


def test_kto_with_one_answer_a_step_is_said_to_compare_nothing() -> None:
    (problem,) = found(method="kto", batch_size=1)
    assert problem == Problem(
        level="warning",
        key="train.batch_size",
        message="kto compares an answer with those of other prompts in its step, and there are none",
        hint="set batch_size to 4 or more",
    )


def test_early_stopping_is_said_to_keep_the_best() -> None:
    (problem,) = found(early_stopping=2)
    assert problem == Problem(
        level="info",
        key="train.keep",
        message="early_stopping keeps the best checkpoint too, and takes it as the result",
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        NONE,
        {"method": "dpo", **NONE},
        {"method": "grpo", "beta": 0, **REWARDS, **NONE},
        {"method": "ppo", **REWARDS},
        {"method": "ppo", "kl_coef": 0, **REWARDS, **NONE},
        {"method": "kto", "batch_size": 1, "gradient_accumulation": 2},
        {"early_stopping": 2, "keep": "best+last"},
        adapter(type="lora", init="pissa"),
        adapter(type="lora", use_dora=True, quantization="nf4"),
        adapter(type="ia3", quantization="int8"),
        adapter(type="prefix"),
        adapter(type="prompt"),
    ],
)
def test_nothing_is_said_of_what_works(settings: dict[str, Any]) -> None:
    assert found(LLAMA, **settings) == []


def test_rows_beyond_the_context_of_the_model_are_said() -> None:
    short = {**LLAMA, "max_position_embeddings": 8192}
    (told,) = beyond_context(8193, short)
    assert (told.level, told.key) == ("warning", "train.max_length")
    assert "8,193 tokens are more than the 8,192" in told.message
    assert told.hint == "set train.max_length to at most 8192"
    assert beyond_context(8192, short) == []
    assert beyond_context(10**9, None) == beyond_context(10**9, LLAMA) == []
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}
    assert beyond_context(32768, {**short, "rope_scaling": yarn}) == []


def test_rows_that_no_position_is_left_for_are_refused() -> None:
    gpt2 = {"model_type": "gpt2", "n_positions": 64}
    assert beyond_context(64, gpt2) == []
    (refused,) = beyond_context(65, gpt2)
    assert (refused.level, refused.key) == ("error", "train.max_length")
    assert "65 tokens, and the model has an embedding for each of 64" in refused.message


def test_an_answer_that_is_sampled_takes_room_too() -> None:
    short = {**LLAMA, "max_position_embeddings": 64}
    assert beyond_context(32, short, max_new_tokens=32) == []
    (told,) = beyond_context(32, short, max_new_tokens=33)
    assert (told.level, told.key) == ("warning", "train.max_new_tokens")
    assert "65 tokens are more than the 64" in told.message


def test_a_rank_and_targets_that_a_known_family_cannot_have_are_refused() -> None:
    (rank,) = found(LLAMA, **adapter(r=60_000))
    assert "no targeted layer can have a rank above 32" in rank.message  # 4 heads of 8
    (target,) = found(LLAMA, **adapter(target_modules=["q_prj"]))
    assert "did you mean 'q_proj'?" in target.hint
    assert found({**LLAMA, "model_type": "unheard_of"}, **adapter(r=60_000)) == []


@pytest.mark.parametrize(
    ("train", "key"),
    [
        ({"method": "reward"}, "train.method"),
        ({"adapter": {"type": "prefix"}}, "train.adapter.type"),
        ({"adapter": {"quantization": "nf4"}}, "train.adapter.quantization"),
        ({"method": "dpo", "adapter": {"use_dora": True}}, "train.adapter.use_dora"),
        ({"method": "dpo"}, None),
        (NONE, None),
    ],
)
def test_what_a_base_in_shards_does_not_train_is_refused_by_name(
    train: dict[str, Any], key: str | None
) -> None:
    found = find_unshared(spec_of(**train), LaunchSpec(processes=2, fsdp=True))
    assert [p.key for p in found if p.level == "error"] == ([] if key is None else [key])


def test_one_process_has_nothing_to_shard() -> None:
    (problem,) = find_unshared(spec_of(), LaunchSpec(fsdp=True))
    assert (problem.level, problem.key) == ("warning", "launch.fsdp")
