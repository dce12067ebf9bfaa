"""Tiny random models, a tokenizer and the chat templates that the engine's tests run on."""

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    BambaConfig,
    DeepseekV3Config,
    FalconH1Config,
    Gemma2Config,
    Gemma3TextConfig,
    Glm4Config,
    GraniteMoeHybridConfig,
    JambaConfig,
    Lfm2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    MixtralConfig,
    NemotronHConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    Zamba2Config,
)

from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.example import EncodedRow
from finewright.lm.sources import LocalBase

VOCAB = 320
WINDOW = 6
_SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**_SIZES),
    "mistral": MistralConfig(**_SIZES, sliding_window=WINDOW),
    "qwen2": Qwen2Config(**_SIZES, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**_SIZES, head_dim=12),
    "gemma2": Gemma2Config(
        **_SIZES,
        head_dim=8,
        query_pre_attn_scalar=16,
        sliding_window=WINDOW,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
    ),
    "gemma3_text": Gemma3TextConfig(
        **_SIZES,
        head_dim=8,
        query_pre_attn_scalar=16,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "phi3": Phi3Config(**_SIZES),
    "mixtral": MixtralConfig(**_SIZES, num_local_experts=4, num_experts_per_tok=2),
}
FAMILIES = tuple(CONFIGS)
# More that the engine's numbers are compared on.
_MORE: dict[str, PreTrainedConfig] = {
    # Phi-4-mini turns only a part of each head.
    "phi4_mini": Phi3Config(
        **_SIZES, rope_parameters={**_ROPE, "partial_rotary_factor": 0.5}, sliding_window=WINDOW
    ),
    "glm4": Glm4Config(**_SIZES, head_dim=8),
    "qwen2_moe": Qwen2MoeConfig(
        **_SIZES,
        **_EXPERTS,
        shared_expert_intermediate_size=24,
        use_sliding_window=True,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "qwen3_moe": Qwen3MoeConfig(**_SIZES, **_EXPERTS, head_dim=12, mlp_only_layers=[0]),
    "deepseek_v3": DeepseekV3Config(
        **{**_SIZES, "num_key_value_heads": 4},
        moe_intermediate_size=16,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_group=2,
        topk_group=1,
        first_k_dense_replace=1,
        q_lora_rank=16,
        kv_lora_rank=12,
        qk_nope_head_dim=8,
        qk_rope_head_dim=4,
        v_head_dim=6,
        num_nextn_predict_layers=0,
    ),
}
ALL_FAMILIES = (*FAMILIES, *_MORE)
_MAMBA = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 8,
}
# Families with convolutions or recurrences beside attention.
_HYBRIDS: dict[str, PreTrainedConfig] = {
    "lfm2": Lfm2Config(
        **_SIZES, layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False
    ),
    "falcon_h1": FalconH1Config(
        **_SIZES,
        head_dim=8,
        mamba_d_ssm=32,
        mamba_n_heads=4,
        mamba_d_head=8,
        mamba_d_state=8,
        lm_head_multiplier=0.5,
    ),
    "granitemoehybrid": GraniteMoeHybridConfig(
        **_SIZES,
        **_MAMBA,
        layer_types=["mamba", "attention"],
        num_local_experts=4,
        num_experts_per_tok=2,
        shared_intermediate_size=24,
        logits_scaling=2.0,
        residual_multiplier=0.7,
        embedding_multiplier=1.5,
        attention_multiplier=0.3,
    ),
    "nemotron_h": NemotronHConfig(
        **{**_SIZES, "num_hidden_layers": 4},
        layers_block_type=["mamba", "moe", "attention", "mlp"],
        mamba_num_heads=4,
        mamba_head_dim=8,
        ssm_state_size=8,
        n_groups=2,
        chunk_size=8,
        head_dim=8,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        moe_shared_expert_intermediate_size=16,
        n_group=1,
        topk_group=1,
    ),
    "bamba": BambaConfig(**_SIZES, **_MAMBA, attn_layer_indices=[1]),
    "zamba2": Zamba2Config(
        **{**_SIZES, "num_hidden_layers": 4, "num_key_value_heads": 4},
        layers_block_type=["mamba", "hybrid", "mamba", "hybrid"],
        mamba_d_state=8,
        mamba_ngroups=1,
        n_mamba_heads=4,
        mamba_headdim=16,
        chunk_size=8,
        num_mem_blocks=1,
        adapter_rank=4,
        use_shared_attention_adapter=True,
    ),
    "jamba": JambaConfig(
        **_SIZES,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        num_experts=4,
        num_experts_per_tok=2,
        mamba_d_state=4,
        mamba_dt_rank=4,
    ),
    "mamba": MambaConfig(
        vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, state_size=4, pad_token_id=0
    ),
}
MAMBA_HYBRIDS = ("granitemoehybrid", "nemotron_h", "falcon_h1", "bamba", "zamba2", "jamba")
HYBRIDS = ("lfm2", *MAMBA_HYBRIDS)


def tiny_model(family: str, *, seed: int = 0) -> PreTrainedModel:
    """A random float32 model in which attention, norms and biases all matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = copy.deepcopy({**CONFIGS, **_MORE, **_HYBRIDS}[family])
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def random_rows(lengths: Sequence[int], *, seed: int = 0, prompt: int = 2) -> list[EncodedRow]:
    """Rows of random tokens; all but the first `prompt` are learned."""
    generator = torch.Generator().manual_seed(seed)
    return [
        EncodedRow(
            tuple(torch.randint(3, VOCAB, (n,), generator=generator).tolist()),
            tuple(t >= prompt for t in range(n)),
            f"row-{number}",
        )
        for number, n in enumerate(lengths)
    ]


def shared_prompts() -> list[list[EncodedRow]]:
    """Prompts of 9, 1 and 3 tokens with three, two and one completions, some longer than the window."""
    groups = []
    for number, (prompt, completions) in enumerate(((9, (5, 1, 12)), (1, (4, 3)), (3, (6,)))):
        (shared,) = random_rows([prompt], seed=50 + number)
        groups.append(
            [
                EncodedRow(
                    shared.input_ids + tail.input_ids,
                    (False,) * prompt + (True,) * tail.num_tokens,
                )
                for tail in random_rows(completions, seed=number)
            ]
        )
    return groups


TEMPLATES = {
    "chatml": (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
        " + '<|im_end|>' + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "llama3": (
        "{{ bos_token }}{% for message in messages %}"
        "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
        " + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    ),
    "gemma": (
        "{{ bos_token }}{% set ns = namespace(prefix='') %}{% set turns = messages %}"
        "{% if messages[0]['role'] == 'system' %}"
        "{% set ns.prefix = messages[0]['content'] + '\n\n' %}{% set turns = messages[1:] %}{% endif %}"
        "{% for message in turns %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant') }}"
        "{% endif %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
        "{{ '<start_of_turn>' + role + '\n' + (ns.prefix if loop.first else '')"
        " + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    ),
    "qwen3": (
        "{% set ns = namespace(last=messages | length - 1) %}{% for message in messages %}"
        "{% if message['role'] == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{% for message in messages %}{% set content = message['content'] %}"
        "{% if message['role'] == 'assistant' %}{% set thought = '' %}{% if '</think>' in content %}"
        "{% set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
        "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
        "{% if loop.index0 > ns.last and (loop.last or thought) %}"
        "{{ '<|im_start|>assistant\n<think>\n' + thought + '\n</think>\n\n' + content.lstrip('\n') }}"
        "{% else %}{{ '<|im_start|>assistant\n' + content }}{% endif %}{{ '<|im_end|>\n' }}"
        "{% else %}{{ '<|im_start|>' + message['role'] + '\n' + content + '<|im_end|>\n' }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "mistral": (
        "{{ bos_token }}{% set ns = namespace(system='') %}{% set turns = messages %}"
        "{% if messages[0]['role'] == 'system' %}"
        "{% set ns.system = messages[0]['content'] + '\n\n' %}{% set turns = messages[1:] %}{% endif %}"
        "{% for message in turns %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('After the optional system message, roles must alternate user and"
        " assistant') }}{% endif %}{% if message['role'] == 'user' %}"
        "{{ '[INST] ' + (ns.system if loop.first else '') + message['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}"
    ),
}
END_OF_TURN = {
    "chatml": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "qwen3": "<|im_end|>",
    "mistral": "</s>",
}
_BOS = {"llama3": "<|begin_of_text|>", "gemma": "<bos>", "mistral": "<s>"}
_EOS = {
    "chatml": "<|im_end|>",
    "llama3": "<|end_of_text|>",
    "gemma": "<eos>",
    "qwen3": "<|im_end|>",
    "mistral": "</s>",
}
_MARKS = {
    "chatml": ("<|endoftext|>", "<|im_start|>"),
    "llama3": ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "gemma": ("<start_of_turn>", "<end_of_turn>"),
    "qwen3": ("<|endoftext|>", "<|im_start|>"),
    "mistral": ("[INST]", "[/INST]"),
}
_SPLITS_BY_WORDS = ("llama3", "qwen3")
# Llama 3's pattern: unlike GPT-2's it makes one token of several newlines, across a turn's border.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CORPUS = (
    "system\nYou are a helpful AI assistant\n\nuser\n\nassistant\n model\n the answer is the other",
    "the user asks the assistant,\n\n\n the assistant answers  the   user.\n",
)


@cache
def _tokenizer(template: str) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_WORDS), "isolated")
    byte_level = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=template not in _SPLITS_BY_WORDS
    )
    parts = [split, byte_level] if template in _SPLITS_BY_WORDS else [byte_level]
    backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    backend.decoder = decoders.ByteLevel()
    bos, eos = _BOS.get(template), _EOS[template]
    special = list(dict.fromkeys(["<pad>", bos or "<unused>", eos, *_MARKS[template]]))
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB - 10,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_CORPUS * 8, trainer)
    backend.add_tokens([AddedToken(t, normalized=False) for t in ("<think>", "</think>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=bos,
        eos_token=eos,
        pad_token="<pad>",  # noqa: S106 - no secret
        chat_template=TEMPLATES[template],
        clean_up_tokenization_spaces=False,
    )


def tiny_tokenizer(template: str = "chatml") -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most VOCAB tokens with the marks and the chat template of a family."""
    return copy.deepcopy(_tokenizer(template))


def tiny_chat(template: str = "chatml") -> Chat:
    """The tokenizer of a template with its end-of-turn token."""
    tokenizer = tiny_tokenizer(template)
    return Chat(tokenizer, find_end_of_turn(tokenizer, [tokenizer.eos_token_id]))


def base_of(folder: Path) -> LocalBase:
    """A base model in this folder, which need not be there."""
    return LocalBase("tiny", folder, "0" * 64, "unknown")
