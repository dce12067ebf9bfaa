"""The report: which machines fit, what would, what is wrong in common advice, and how it reads."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cli.conftest import Finewright
from finewright.catalog.prices import gpu_named, read_packaged_prices
from finewright.errors import DataError, ModelError
from finewright.report.show import text_of
from finewright.schema.adapter import LoraSpec
from finewright.schema.cost import CostReport, Range
from finewright.schema.methods import DPOSpec, GRPOSpec, SFTSpec
from finewright.schema.rows import Row
from finewright.train.defaults import micro_batch_tokens
from finewright_advice.cost.assemble import CostQuestion, JobMeasurements, report
from finewright_advice.cost.job import MICRO_BATCH_TOKENS
from finewright_advice.cost.machines import fit
from finewright_advice.cost.mend import mend, options
from finewright_advice.cost.model import describe_model
from finewright_advice.cost.needs import estimate_from_peak, formula
from finewright_advice.cost.spec import CostSpec
from finewright_advice.cost.truths import truths
from labels.test_linear_run import make_rows, write_spec

from .jobs import LLAMA_8B, LLAMA_65B, counted, job_of, with_rows

TODAY = date(2026, 11, 25)
NF4 = {"type": "lora", "quantization": "nf4"}


def asked(job: Any, **spec: Any) -> CostReport:
    return report(CostQuestion("run", [job], CostSpec(**spec)), read_packaged_prices(), TODAY)


def test_the_micro_batches_are_those_that_training_takes() -> None:
    assert {
        name: micro_batch_tokens(on_gpu=name == "gpu")[0] for name in ("gpu", "cpu")
    } == MICRO_BATCH_TOKENS


def test_a_machine_fits_when_even_the_high_end_does() -> None:
    needs = Range(low=8, median=10, high=13)
    assert [fit(needs, gib) for gib in (14, 11, 9)] == ["yes", "tight", "no"]


def test_machines_that_fit_come_first_and_cost_what_their_hours_cost() -> None:
    (candidate,) = asked(job_of(adapter=NF4)).candidates
    order = [row.fits for row in candidate.machines]
    assert order == sorted(order, key=("yes", "tight", "no").index)
    catalog = read_packaged_prices()
    for row in candidate.machines:
        assert row.memory_gib == gpu_named(catalog, row.gpu).memory_gib
        assert row.fits == fit(row.needs.process_gib, row.memory_gib)
        if row.fits == "no":
            assert row.usd is None
            continue
        assert row.hours is not None
        assert row.usd is not None
        assert row.project_usd is not None
        assert row.hours.low < row.hours.median < row.hours.high
        assert row.project_usd.median == pytest.approx(1.3 * row.usd.median)


def test_each_machine_that_does_not_fit_is_told_what_would() -> None:
    (candidate,) = asked(job_of()).candidates
    small = next(row for row in candidate.machines if row.gpu == "RTX 4090")
    assert small.fits == "no"
    assert small.mend is not None
    assert small.mend.process_gib.high <= small.memory_gib


def test_the_mend_is_the_cheapest_that_fits_and_fits_indeed() -> None:
    job = job_of()
    found = options(job, gpu=True)
    prices = [option.price for option in found]
    assert prices == sorted(prices)
    assert found[0].settings == ()
    assert found[0].process_gib == formula(job, gpu=True).process_gib
    for gib in (80.0, 40.0, 24.0, 15.0, 9.0):
        better = mend(found, gib)
        assert better is not None, gib
        first = next(option for option in found if option.process_gib.high <= gib)
        assert better.settings == first.settings
    assert mend(found, 2.0) is None


def test_full_fine_tuning_is_mended_by_an_adapter() -> None:
    found = options(job_of(adapter={"type": "none"}), gpu=True)
    better = mend(found, 24.0)
    assert better is not None
    assert any(setting.startswith("train.adapter={type: lora") for setting in better.settings)


def test_settings_of_a_mend_can_be_set(tmp_path: Path) -> None:
    from finewright.schema.load import load_spec

    spec = tmp_path / "run.yaml"
    spec.write_text("name: x\nbase_models: [m]\ndata: {sources: [{path: a.jsonl}]}\n")
    for job in (job_of(), job_of(adapter={"type": "none"})):
        for gib in (40.0, 15.0, 8.0):
            better = mend(options(job, gpu=True), gib)
            if better is not None:
                load_spec(spec, better.settings)


def test_the_terms_make_the_whole() -> None:
    found = formula(job_of(memory="lean"), gpu=True)
    named = {term.name: term.gib for term in found.terms}
    passing = named.pop("backward of a layer"), named.pop("head")
    assert sum(named.values()) + max(passing) == pytest.approx(found.tensors_gib.median)
    assert found.process_gib.median > found.tensors_gib.median


def test_a_better_tier_has_a_narrower_interval() -> None:
    job = job_of()
    peak = formula(job, gpu=True).tensors_gib.median * 2**30
    widths = []
    for tier in ("trace", "micro-steps"):
        span = estimate_from_peak(job, peak, tier, gpu=True, number=2).tensors_gib  # type: ignore[arg-type]
        assert span.low < span.median < span.high
        widths.append(span.high - span.low)
    whole = formula(job, gpu=True).tensors_gib
    assert whole.high - whole.low > widths[0] > widths[1]


def test_3_gb_for_65b_is_contradicted() -> None:
    lines = list(truths(job_of(LLAMA_65B, adapter=NF4)))
    assert "does not train in 3 GB" in lines[0]
    assert "0.37 bits a parameter" in lines[0]
    (candidate,) = asked(job_of(LLAMA_65B, adapter=NF4)).candidates
    alone = [row for row in candidate.machines if row.gpus_used == 1]
    assert all(row.fits == "no" for row in alone if row.memory_gib < 30)


def test_a_hundred_times_less_memory_is_contradicted() -> None:
    (line,) = truths(job_of())
    assert "times fewer numbers" in line
    assert "not 10 to 100 times" in line
    assert list(truths(job_of(adapter={"type": "none"}))) == []


def test_ten_times_less_and_more_is_said_where_it_is_so() -> None:
    """By 4-bit weights 65B falls over ten times: "not 10 to 100 times" beside that would refute itself."""
    line = list(truths(job_of(LLAMA_65B, adapter=NF4)))[-1]
    times = float(line.partition(", and ")[2].partition(" times")[0])
    assert times >= 10
    assert "not 10 to 100" not in line
    assert "by quantization and the adapter together" in line


def test_answers_that_are_sampled_are_in_the_hours() -> None:
    spec = GRPOSpec(rewards=("valid_json",), num_generations=8, max_new_tokens=64)
    online = replace(job_of(), train=spec)
    (candidate,) = asked(online).candidates
    # each of 3,000 prompts once with 8 answers of at most 64 tokens, and of two thirds of that in the middle
    assert candidate.work.tokens.median == pytest.approx(3000 * (400 + 8 * 64 * 0.65))
    twice = replace(online, train=spec.model_copy(update={"num_iterations": 2}))
    assert twice.work(twice.load(gpu=True)).tokens.median == 2 * candidate.work.tokens.median
    longer = replace(online, train=spec.model_copy(update={"max_new_tokens": 640}))
    hours = [
        next(row.hours for row in asked(job).candidates[0].machines if row.gpu == "H200")
        for job in (job_of(), online, longer)
    ]
    medians = [each.median for each in hours if each is not None]
    assert len(medians) == 3
    assert medians == sorted(medians)
    assert online.load(gpu=True).cached == spec.batch_size * 8 * (1000 + 64)
    assert any("not measured on a GPU" in problem.message for problem in asked(online).problems)


def test_rows_over_the_models_context_are_told_by_their_longest_sequence() -> None:
    job = with_rows(job_of(LLAMA_65B, max_length=4096), longest=4000, longest_sequence=2000)
    assert not any(p.key == "train.max_length" for p in asked(job).problems)
    (told,) = (
        p
        for p in asked(with_rows(job, longest_sequence=2049)).problems
        if p.key == "train.max_length"
    )
    assert told.level == "warning"
    assert told.message.startswith("2,049 tokens are more than the 2,048 that the model was made")


def test_a_budget_that_does_not_do_is_said() -> None:
    rich = asked(job_of(adapter=NF4), budget_usd=1e6, providers=["runpod"]).problems
    assert not any("cheapest machine" in problem.message for problem in rich)
    paid = asked(job_of(adapter=NF4), budget_usd=0.01, providers=["runpod"]).problems
    assert any("over $0.01" in problem.message for problem in paid)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"providers": ["runpodd"]}, "unknown provider 'runpodd'"),
        ({"gpus": ["H1000"]}, "unknown GPU 'H1000'"),
        ({"tiers": ["cheap"]}, "unknown tier 'cheap'"),
    ],
)
def test_unknown_names_are_one_line(spec: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        asked(job_of(), **spec)
    assert "\n" not in str(caught.value)


def test_only_what_is_asked_for_is_in_the_table() -> None:
    (candidate,) = asked(job_of(), providers=["runpod"], gpus=["h100 sxm"]).candidates
    assert {(row.provider, row.gpu) for row in candidate.machines} == {("runpod", "H100 SXM")}


def test_old_prices_and_near_ends_are_said() -> None:
    found = report(
        CostQuestion("run", [job_of()], CostSpec()), read_packaged_prices(), date(2027, 12, 1)
    )
    assert any("stale" in problem.message for problem in found.problems)
    now = asked(job_of())
    assert any("OpenAI self-serve fine-tuning" in line for line in now.deadlines)


def test_the_same_question_has_the_same_bytes() -> None:
    one, two = (asked(job_of()).model_dump_json() for _ in range(2))
    assert one == two


def test_the_text_names_tiers_machines_and_mends() -> None:
    text = text_of(asked(job_of()))
    for part in ("formula", "process GiB", "H100 SXM", "What would fit", "Ends soon"):
        assert part in text
    assert "base: 8.03B parameters" in text


def row(question: str, answer: str, rejected: str | None = None) -> Row:
    asked_ = {"role": "user", "content": question}
    other = None if rejected is None else (asked_, {"role": "assistant", "content": rejected})
    return Row("id", (asked_, {"role": "assistant", "content": answer}), None, "f", 1, other)


def test_without_a_tokenizer_rows_are_counted_by_characters() -> None:
    rows = [row("a" * 380, "b" * 380)] * 100
    found = counted(rows, SFTSpec(epochs=2, batch_size=10))
    assert found.rows.tier == "from characters"
    assert found.rows.mean == 212
    assert found.steps == 20
    assert found.tokens.median == 200 * 212
    assert found.tokens.low < found.tokens.median < found.tokens.high
    assert found.rows.batch_tokens == 2120
    assert 0.4 < found.rows.learned_share < 0.6


def test_pairs_count_both_sides_and_max_steps_bound_the_run() -> None:
    pairs = [row("a" * 38, "b" * 38, "c" * 76)] * 50
    found = counted(pairs, DPOSpec(max_steps=3, batch_size=4, gradient_accumulation=2))
    assert found.rows.mean == 10 + 10 + 10 + 20 + 4 * 6
    prompt = 10 + 6  # it runs through the model once
    assert (found.steps, found.tokens.median) == (3, 3 * 8 * (found.rows.mean - prompt))


def test_long_rows_are_cut_at_max_length_and_no_rows_are_an_error() -> None:
    assert counted([row("a" * 9000, "b")], SFTSpec(max_length=64)).rows.longest == 64
    with pytest.raises(DataError, match="no rows"):
        counted([], SFTSpec())


def test_a_folder_without_config_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json here"):
        describe_model(str(tmp_path), tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not readable JSON"):
        describe_model(".", tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="model_type is missing"):
        describe_model(str(tmp_path), tmp_path)


def test_lora_settings_reach_the_load() -> None:
    load = job_of(memory="lean", adapter={"type": "lora", "r": 4}).load(gpu=True)
    assert (load.adapter, load.lean, load.tokens) == (LoraSpec(r=4), True, 3600)
    assert job_of().load(gpu=False).tokens == 1024
    assert job_of(micro_batch_tokens=100).load(gpu=True).tokens == 1000  # a row is not parted


def test_old_prices_are_told_by_provider_and_how_they_become_new() -> None:
    stale, aging = (p for p in asked(job_of()).problems if "prices of machines" in p.message)
    considered = [row for row in read_packaged_prices().machines if row.tier != "reserved"]
    assert stale.message == (
        f"7 of {len(considered)} prices of machines are stale, over 180 days old (the oldest"
        " seen 2025-11-01): colab 1, kaggle 2, replicate 4"
    )
    assert "runpod" in aging.message
    assert "colab" not in aging.message
    assert "over 45 days old" in aging.message
    for problem in (stale, aging):
        assert "finewright catalog import FILE" in problem.hint
    assert asked(job_of(), providers=["colab"]).prices.endswith(", seen 2026-05-01")


def test_rows_that_nobody_counted_and_that_could_be_too_long_are_a_warning() -> None:
    job = with_rows(job_of(LLAMA_65B, max_length=99_999_999), tier="from characters")
    (told,) = (p for p in asked(job).problems if p.key == "train.max_length")
    assert told.level == "warning"
    assert told.message.startswith(
        "99,999,999 tokens are more than the 2,048 that the model was made"
    )
    assert not any(p.key for p in asked(job_of(LLAMA_65B, max_length=2048)).problems)


def test_the_experts_of_a_mixture_are_said_to_stay_as_they_are() -> None:
    mixtral = {**LLAMA_8B, "model_type": "mixtral", "vocab_size": 32000}
    line = next(truths(job_of(mixtral, adapter=NF4)))
    assert "its experts, 97% of the weights, share tensors that stay in 16 bits here" in line
    assert "bits a parameter" not in line


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("cost", "failed_share", 1.0),
        ("cost", "failed_share", 1e9),
        ("cost", "seeds", 1001),
        ("cost", "evaluations", 1001),
        ("cost", "horizon_days", 99_999_999_999),
        ("lora", "r", 65_537),
    ],
)
def test_what_no_project_has_is_refused(section: str, key: str, value: float) -> None:
    model: type[CostSpec | LoraSpec] = CostSpec if section == "cost" else LoraSpec
    with pytest.raises(ValidationError, match=key):
        model.model_validate({key: value})


@pytest.mark.parametrize(
    ("hours", "told"),
    [(2.0, "1 - 2 - 4 h"), (0.05, "1.5 - 3 - 6 min"), (0.005, "9 - 18 - 36 s")],
)
def test_short_times_are_told_in_minutes_and_seconds(hours: float, told: str) -> None:
    found_out = asked(job_of(adapter=NF4))
    candidate = found_out.candidates[0]
    span = Range(low=hours / 2, median=hours, high=hours * 2)
    row = candidate.machines[0].model_copy(update={"hours": span})
    changed = candidate.model_copy(update={"machines": (row,)})
    text = text_of(found_out.model_copy(update={"candidates": (changed,)}))
    assert f" {told} (formula)" in text
    assert "none of that is estimated" in text


def test_the_formula_reckons_in_the_numbers_that_this_cpu_computes_in() -> None:
    job = job_of()
    question = CostQuestion("test", [job], CostSpec(), {"base": JobMeasurements(number=4)})
    found_out = report(question, read_packaged_prices(), TODAY)
    on_gpu, on_cpu = found_out.candidates[0].memory
    assert (on_gpu.number_bytes, on_cpu.number_bytes) == (2, 4)
    assert on_cpu == formula(job, gpu=False, number=4)
    assert "CPU, float32" in text_of(found_out)


@pytest.mark.parametrize(
    ("train", "said"),
    [({}, "without"), ({"memory": "lean"}, "with"), ({"adapter": NF4}, "with")],
)
def test_what_a_framework_does_is_said_of_this_run(train: dict[str, Any], said: str) -> None:
    found = asked(job_of(**train), framework="transformers").framework
    assert f", {said} gradient checkpointing, whole logits" in found


def test_a_budget_below_a_cent_is_no_budget_of_nothing() -> None:
    (over,) = (p for p in asked(job_of(), budget_usd=0.001).problems if p.key == "cost.budget_usd")
    assert over.message.endswith(", over $0.001")


def test_a_model_of_labels_needs_no_machine(finewright: Finewright, project: Path) -> None:
    spec = write_spec(project, make_rows(60, seed=1))
    result = finewright("cost", str(spec))
    assert result.code == 2
    assert "no machine to rent" in result.err
