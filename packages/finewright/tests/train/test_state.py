"""The state of a run is all that decides its next step: weights, heads, optimiser, and the method's own."""

import copy

import pytest
import torch
from torch import Tensor

import referee
import tiny
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.schema.adapter import FullSpec
from finewright.schema.methods import PPOSpec, RewardModelSpec, SFTSpec
from finewright.schema.train import TrainSettings
from finewright.train.checkpoint import State
from finewright.train.loop import Method, train
from finewright.train.methods.ppo import PPO
from finewright.train.methods.reward import RewardModel
from finewright.train.methods.setup import Setup
from finewright.train.methods.sft import SFT
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer, put_back, put_weights_back, state_of

pytestmark = pytest.mark.torch

ROWS = tiny.random_rows([9, 4, 14, 7])
PAIRS = [Example((ROWS[0], ROWS[1])), Example((ROWS[2], ROWS[3]))]


class Live:
    """The live objects of a run with an adapter, or with every weight in bfloat16."""

    def __init__(self, spec: TrainSettings, *, full: bool = False) -> None:
        self.spec, model = spec, tiny.tiny_model("llama")
        if full:
            self.lm = LM(model.bfloat16(), add_adapter(model, FullSpec(), seed=0))
        else:
            self.lm = LM(model, referee.random_adapters(model))
        methods = {"sft": SFT, "reward": RewardModel, "ppo": PPO}
        self.method: Method = methods[spec.method](spec, Setup(self.lm))
        self.optimizer = make_optimizer(self.lm, self.method, weight_decay=0.1)

    def learn(self, start: int, end: int) -> "Live":
        spec = self.spec.model_copy(update={"max_steps": end})
        rows = PAIRS if spec.method == "reward" else [Example((row,)) for row in ROWS]
        schedule = schedule_of(spec, [row.num_tokens for row in rows])
        list(train(self.lm, self.method, rows, schedule, self.optimizer, start_step=start))
        return self

    def state(self) -> State:
        return state_of(self.lm, self.method, self.optimizer)


SETTINGS = {"learning_rate": 1e-3, "batch_size": 2, "max_steps": 4, "lr_scheduler": "constant"}
SFT_SPEC, REWARD_SPEC = SFTSpec(**SETTINGS), RewardModelSpec(**SETTINGS)
PPO_SPEC = PPOSpec(**SETTINGS, rewards=("valid_json",), kl_coef=0.3)
KINDS = pytest.mark.parametrize(
    ("spec", "full"), [(SFT_SPEC, False), (SFT_SPEC, True), (REWARD_SPEC, False)]
)


def flat(state: State) -> dict[str, Tensor]:
    return {f"{file} {n}": t for file, ts in state.files().items() for n, t in ts.items()}


def assert_same(found: State, true: State) -> None:
    one, other = flat(found), flat(true)
    assert one.keys() == other.keys()
    assert [name for name in other if not torch.equal(one[name], other[name])] == []


def test_it_holds_adapter_heads_moments_and_the_method_s_own() -> None:
    live = Live(PPO_SPEC)
    state = live.state()
    heads = {name for name in state.weights if name.startswith("method.")}
    assert heads == {"method.0", "method.1"}
    assert {n.split(".")[-2] for n in state.weights.keys() - heads} == {"lora_A", "lora_B"}
    assert len(state.weights) == len(live.optimizer.parameters)
    assert state.method["kl_coef"].item() == 0.3


@KINDS
def test_a_run_put_back_goes_on_bitwise(spec: TrainSettings, full: bool) -> None:
    live = Live(spec, full=full).learn(0, 2)
    kept = copy.deepcopy(live.state())
    continued = Live(spec, full=full)
    put_back(copy.deepcopy(kept), continued.lm, continued.method, continued.optimizer)
    assert_same(continued.state(), kept)
    assert_same(continued.learn(2, 4).state(), live.learn(2, 4).state())


def test_weights_in_bfloat16_keep_what_they_round_away() -> None:
    live = Live(SFT_SPEC, full=True).learn(0, 1)
    state = live.state()
    assert {t.dtype for t in state.weights.values()} == {torch.bfloat16}
    masters = [state.optimizer[f"{n}.master"] for n in range(len(state.weights))]
    assert any(not torch.equal(m, m.bfloat16().float()) for m in masters)
    for weight, master in zip(live.optimizer.parameters, masters, strict=True):
        assert torch.equal(weight, master.bfloat16())


def test_the_price_of_kl_comes_back_as_it_was() -> None:
    live, fresh = Live(PPO_SPEC), Live(PPO_SPEC)
    live.method.kl_coef = 0.1 + 0.2  # type: ignore[attr-defined]
    put_back(copy.deepcopy(live.state()), fresh.lm, fresh.method, fresh.optimizer)
    assert fresh.method.kl_coef == 0.1 + 0.2  # type: ignore[attr-defined]


@KINDS
def test_weights_alone_can_be_put_back(spec: TrainSettings, full: bool) -> None:
    """Those of the best step, into a run that went on."""
    live = Live(spec, full=full).learn(0, 2)
    best = copy.deepcopy(live.state().weights)
    after = copy.deepcopy(live.learn(2, 4).state())
    put_weights_back(best, live.lm, live.method)
    state = live.state()
    assert [n for n in best if not torch.equal(state.weights[n], best[n])] == []
    assert_same(State(after.weights, state.optimizer, state.method), after)
