"""The training methods of the spec: what is learned from which rows, and each method's own settings."""

from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from finewright.schema.common import Problem, default
from finewright.schema.rewards import Reward
from finewright.schema.train import RateShare, Takes, TrainSettings

# Of what demonstrations bear: the losses of these methods are steep where answers are long.
_PREFERENCE_RATE = RateShare(0.3, "preference losses grow with the answers' length")


class DocumentSettings(TrainSettings):
    """What methods have that learn raw text too, beside conversations."""

    document_attention: Literal["within", "across"] = default(
        "within",
        "Whether a token of raw text (`data.type: text`) sees the documents before its own: across lays them"
        " end to end and cuts windows of max_length; within cuts each by itself",
        "what stands beside a document by chance says nothing of it",
    )
    document_separator: str | None = default(
        None,
        "Token between two documents of raw text, one that the model knows",
        "its end of sequence",
    )


class SFTSpec(DocumentSettings):
    """Supervised fine-tuning: the loss is the mean negative log-likelihood of assistant tokens, and of all
    tokens of raw text (continued pre-training)."""

    code: ClassVar[str] = "finewright.train.methods.sft:SFT"
    by_rows: ClassVar[bool] = True
    one_pass: ClassVar[bool] = True
    method: Literal["sft"] = default("sft", "Training method", "the data are demonstrations")


_TEACHER: str = Field(
    description="The model to learn from, by a name as in base_models; of the same tokenizer.",
    min_length=1,
)


class DistillSpec(DocumentSettings):
    """Word-level distillation (Hinton et al. 2015, arXiv:1503.02531): the teacher's likeliest next tokens at
    each learned token of the rows, computed once before the first step."""

    code: ClassVar[str] = "finewright.train.methods.distill:Distill"
    method: Literal["distill"] = "distill"
    teacher: str = _TEACHER
    top_k: int = default(
        32,
        "So many of the teacher's likeliest tokens are learned, and all others as one",
        "8 bytes each a token; beyond the first few little is left to learn",
        gt=0,
        le=1024,
    )
    beta: float = default(
        0.0,
        "Between KL(teacher || student), 0, and KL(student || teacher), 1 (arXiv:2306.13649)",
        "the usual: learn all that the teacher says",
        ge=0.0,
        le=1.0,
    )


class DPOSpec(TrainSettings):
    """Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290)."""

    code: ClassVar[str] = "finewright.train.methods.dpo:DPO"
    by_rows: ClassVar[bool] = True
    takes: ClassVar[Takes] = "pairs"
    rate: ClassVar[RateShare] = _PREFERENCE_RATE
    one_pass: ClassVar[bool] = True
    method: Literal["dpo"] = "dpo"
    beta: float = default(
        0.1, "Strength of the pull towards the reference; for ipo its tau", "the paper's", gt=0.0
    )
    loss_type: Literal["sigmoid", "ipo", "hinge"] = default(
        "sigmoid",
        "The paper's loss, IPO (Azar et al. 2023, arXiv:2310.12036) or SLiC's hinge (arXiv:2305.10425)",
        "ipo and hinge overfit less on clean pairs, and learn less from few",
    )
    label_smoothing: float = default(
        0.0,
        "Share of pairs that are believed to be swapped",
        "pairs are taken as right",
        ge=0,
        lt=0.5,
    )
    reference_free: bool = default(
        False, "Leave the reference out", "without it the model drifts further from the base"
    )

    def without_effect(self) -> Iterator[Problem]:
        """Smoothing, for a loss that swaps no pairs."""
        if self.label_smoothing and self.loss_type != "sigmoid":
            yield Problem(
                level="error",
                key="train.label_smoothing",
                message=f"does nothing to the loss {self.loss_type}, which has no swapped pairs",
                hint="leave it out, or set loss_type to sigmoid",
            )


class ORPOSpec(TrainSettings):
    """Odds-ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): SFT on the chosen answer
    and an odds-ratio term, without a reference."""

    code: ClassVar[str] = "finewright.train.methods.orpo:ORPO"
    takes: ClassVar[Takes] = "pairs"
    rate: ClassVar[RateShare] = RateShare(0.5, "it learns the answers too, as SFT does")
    one_pass: ClassVar[bool] = True
    method: Literal["orpo"] = "orpo"
    beta: float = default(0.1, "Weight of the odds-ratio term (lambda)", "the paper's", gt=0.0)
    nll_mean: Literal["pairs", "tokens"] = default(
        "pairs",
        "What the likelihood of the chosen answers is a mean over: pairs, whatever their length, or all of"
        " their tokens, as TRL has it",
        "the paper's; tokens gives long answers more weight",
    )


class SimPOSpec(TrainSettings):
    """Simple preference optimisation (Meng et al. 2024, arXiv:2405.14734): length-normalised, with a
    margin, without a reference."""

    code: ClassVar[str] = "finewright.train.methods.simpo:SimPO"
    takes: ClassVar[Takes] = "pairs"
    rate: ClassVar[RateShare] = RateShare(0.3, "it has no reference that holds it")
    one_pass: ClassVar[bool] = True
    method: Literal["simpo"] = "simpo"
    beta: float = default(
        2.0, "Scale of the length-normalised log-probability", "the paper's", gt=0.0
    )
    gamma: float = default(1.0, "Margin by which the chosen one should win", "half of beta", ge=0.0)


class KTOSpec(TrainSettings):
    """Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306), from single answers that
    were liked or not."""

    code: ClassVar[str] = "finewright.train.methods.kto:KTO"
    takes: ClassVar[Takes] = "judged answers"
    rate: ClassVar[RateShare] = _PREFERENCE_RATE
    one_pass: ClassVar[bool] = True
    method: Literal["kto"] = "kto"
    beta: float = default(0.1, "Strength of the pull towards the reference", "the paper's", gt=0.0)
    desirable_weight: float = default(1.0, "Weight of liked answers", "both count alike", gt=0.0)
    undesirable_weight: float = default(
        1.0, "Weight of disliked answers", "both count alike", gt=0.0
    )


class RewardModelSpec(TrainSettings):
    """A Bradley-Terry reward model (Ouyang et al. 2022, arXiv:2203.02155): one number an answer, higher for
    the chosen one."""

    code: ClassVar[str] = "finewright.train.methods.reward:RewardModel"
    takes: ClassVar[Takes] = "pairs"
    rate: ClassVar[RateShare] = RateShare(0.3, "a ranking needs few and small changes")
    gives_answers: ClassVar[bool] = False
    method: Literal["reward"] = "reward"
    center_rewards_coefficient: float = default(
        0.01,
        "Pull of a pair's mean reward to zero",
        "keeps the numbers where PPO can use them",
        ge=0.0,
    )


class PolicyKeys(NamedTuple):
    """What is advised where a policy runs away from the base; a key that a method has not is empty."""

    pull: str = ""
    """The key that holds it at the base."""
    reuse: str = ""
    """The key of how often the same answers are learned from."""
    kl_of: Literal["token", "answer"] = "token"
    """What the metric `kl` is of."""


class OnlineSettings(TrainSettings):
    """What methods have that learn from their own answers; `batch_size` counts prompts."""

    takes: ClassVar[Takes] = "prompts"
    policy: ClassVar[PolicyKeys] = PolicyKeys()
    rewards: tuple[Reward, ...] = Field(
        min_length=1,
        description="What answers are worth; a list of functions, or of their settings.",
    )
    num_generations: int = default(8, "Answers sampled for each prompt", "enough to compare", gt=0)
    max_new_tokens: int = default(128, "Longest answer in tokens", "short answers learn fast", gt=0)
    temperature: float = default(1.0, "Of the sampled answers", "the policy itself", gt=0.0)
    top_p: float = default(
        1.0, "Nucleus of the sampled answers", "the policy itself", gt=0.0, le=1.0
    )

    def without_effect(self) -> Iterator[Problem]:
        """An adapter's dropout."""
        if self.adapter.type == "lora" and self.adapter.dropout:
            yield Problem(
                level="warning",
                key="train.adapter.dropout",
                message=f"{self.method} runs without dropout: it compares answers' probabilities before and"
                " after an update, and two random masks would differ without one",
                hint="leave train.adapter.dropout out; to hold the policy back, raise its KL weight",
            )

    @property
    def uses(self) -> int:
        """How many optimiser steps learn from the same answers."""
        return 1

    @property
    def forwards_before(self) -> int:
        """Forwards without a gradient over the answers, before they are learned from."""
        return 0


class GRPOSpec(OnlineSettings):
    """Group-relative policy optimisation (Shao et al. 2024, arXiv:2402.03300)."""

    code: ClassVar[str] = "finewright.train.methods.grpo:GRPO"
    policy: ClassVar[PolicyKeys] = PolicyKeys(pull="beta", reuse="num_iterations")
    rate: ClassVar[RateShare] = RateShare(0.3, "sampled rewards are noisy")
    method: Literal["grpo"] = "grpo"
    num_generations: int = default(8, "Answers sampled for each prompt", "enough to compare", gt=1)
    beta: float = default(0.04, "Weight of the KL divergence to the base", "the paper's", ge=0.0)
    epsilon: float = default(
        0.2, "Clip of the probability ratio, below", "the paper's", gt=0.0, lt=1.0
    )
    epsilon_high: float | None = default(
        None, "Clip above; DAPO's clip-higher takes 0.28", "as epsilon", gt=0.0
    )
    loss_type: Literal["grpo", "dapo", "dr_grpo"] = default(
        "grpo",
        "Mean over answers of their token means; over all tokens (DAPO, arXiv:2503.14476); or the sum over "
        "max_new_tokens with unscaled advantages (Dr. GRPO, arXiv:2503.20783)",
        "the paper's; dapo gives long answers their weight, dr_grpo favours no length",
    )
    num_iterations: int = default(
        1, "Optimiser steps on the same answers", "on-policy; more reuse costs trust", gt=0
    )

    def without_effect(self) -> Iterator[Problem]:
        """The upper clip too, where each answer is learned from once."""
        yield from super().without_effect()
        if self.epsilon_high is not None and self.num_iterations == 1:
            yield Problem(
                level="warning",
                key="train.epsilon_high",
                message="clips nothing: with num_iterations 1 the policy that learns is still the one that"
                " answered, so the ratio of both is 1",
                hint="set num_iterations to 2 or more, or leave epsilon_high out",
            )

    @property
    def base_key(self) -> str:
        """Its weight, unless that is zero."""
        return "beta" if self.beta else ""

    @property
    def uses(self) -> int:
        """Each iteration's."""
        return self.num_iterations

    @property
    def forwards_before(self) -> int:
        """At the policy before the step, where that differs from the policy at it, and at the base."""
        return (self.num_iterations > 1) + bool(self.base_key)


class GKDSpec(OnlineSettings):
    """Generalised knowledge distillation (Agarwal et al. 2024, arXiv:2306.13649): the teacher's distribution
    at each token of answers that the student samples, or of the rows' own."""

    code: ClassVar[str] = "finewright.train.methods.gkd:GKD"
    takes: ClassVar[Takes] = "conversations or prompts"
    rate: ClassVar[RateShare] = RateShare(0.5, "what it learns from moves as it learns")
    method: Literal["gkd"] = "gkd"
    teacher: str = _TEACHER
    rewards: tuple[Reward, ...] = default(
        (), "Stays empty: the teacher judges", "the teacher judges", max_length=0
    )
    num_generations: int = default(
        1, "Answers sampled for each prompt", "none is compared with another", gt=0
    )
    lmbda: float = default(
        0.5,
        "Share of steps that learn from the student's own answers; prompts without an answer always do",
        "the paper's middle: answers of the rows keep it on the task",
        ge=0.0,
        le=1.0,
    )
    beta: float = default(
        0.5,
        "Between KL(teacher || student), 0, which covers all that the teacher says, and KL(student ||"
        " teacher), 1, which keeps to what it says most",
        "the symmetric one",
        ge=0.0,
        le=1.0,
    )


class PPOSpec(OnlineSettings):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) as RLHF uses it."""

    code: ClassVar[str] = "finewright.train.methods.ppo:PPO"
    rate: ClassVar[RateShare] = RateShare(
        0.5, "sampled rewards are noisy, and the value head takes some of that away"
    )
    has_value_head: ClassVar[bool] = True
    policy: ClassVar[PolicyKeys] = PolicyKeys("kl_coef", "num_ppo_epochs", kl_of="answer")
    method: Literal["ppo"] = "ppo"
    num_generations: int = default(
        4, "Answers sampled for each prompt", "the value head compares", gt=0
    )
    kl_coef: float = default(0.05, "Price of a nat away from the base", "the usual", ge=0.0)
    target_kl: float | None = default(
        None,
        "KL per answer that an adaptive kl_coef steers to (Ziegler et al. 2019, arXiv:1909.08593)",
        "kl_coef stays fixed",
        gt=0.0,
    )
    num_ppo_epochs: int = default(
        2, "Optimiser steps on the same answers", "more reuse costs trust and time", gt=0
    )
    gamma: float = default(1.0, "Discount per token", "answers are short", gt=0.0, le=1.0)
    lam: float = default(
        1.0,
        "GAE's lambda (arXiv:1506.02438)",
        "the reward comes at the end: with 0.95 the first of 48 tokens gets a twelfth of it",
        ge=0.0,
        le=1.0,
    )
    cliprange: float = default(0.2, "Clip of the probability ratio", "the paper's", gt=0.0, lt=1.0)
    cliprange_value: float = default(0.2, "Clip of the value's change", "the usual", gt=0.0)
    vf_coef: float = default(0.1, "Weight of the value loss", "the head shares the adapter", ge=0.0)

    def without_effect(self) -> Iterator[Problem]:
        """The goal of a price too that is zero and stays so."""
        yield from super().without_effect()
        if self.target_kl and not self.kl_coef:
            yield Problem(
                level="error",
                key="train.target_kl",
                message="is steered to by multiplying kl_coef, which is 0 and so stays 0",
                hint="set kl_coef to what it starts from, such as 0.05",
            )

    @property
    def base_key(self) -> str:
        """Its price, unless that is zero and stays so."""
        return "kl_coef" if self.kl_coef or self.target_kl else ""

    @property
    def uses(self) -> int:
        """Each epoch's."""
        return self.num_ppo_epochs

    @property
    def forwards_before(self) -> int:
        """At the policy before the steps, and at the base."""
        return 2
