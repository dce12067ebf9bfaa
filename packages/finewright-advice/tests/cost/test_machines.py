"""Jobs that one GPU does not hold: spread over a machine's GPUs, or over several machines, or refused."""

import random
from typing import Any

import published
from finewright.catalog.models import open_models
from finewright.catalog.prices import gpu_named, read_packaged_prices
from finewright.report.show import text_of
from finewright.schema.catalog import Machine
from finewright.schema.cost import MachineEstimate, Range
from finewright_advice.cost.job import Rows
from finewright_advice.cost.machines import machines, several
from finewright_advice.cost.needs import load_of_shard
from finewright_advice.cost.ranks import in_ranks, share_work
from finewright_advice.cost.spec import CostSpec
from finewright_advice.estimate.frameworks import FRAMEWORKS, framework_memory
from finewright_advice.estimate.sharded import Spread, hours_of_shards

from .jobs import LLAMA_8B, LLAMA_65B, job_of
from .test_cost import asked

NF4 = {"type": "lora", "quantization": "nf4"}
LLAMA_405B = published.config("llama", 16384, 53248, 126, 128, 8, 128256)
CATALOG = read_packaged_prices()


def machine_of(gpu: str, num_gpus: int = 1, **changes: Any) -> Machine:
    plain = Machine(
        provider="runpod",
        sku="it",
        gpu=gpu,
        num_gpus=num_gpus,
        tier="on_demand",
        usd_per_hour=Range(low=10, median=10, high=10),
        method="made up",
        source="this test",
        observed_at=CATALOG.machines[0].observed_at,
    )
    return plain.model_copy(update=changes)


def estimated(config: dict[str, Any], gpu: str, num_gpus: int, **train: Any) -> MachineEstimate:
    job = job_of(config, **{"adapter": NF4, **train})
    (found,) = machines(job, CostSpec(), CATALOG, [machine_of(gpu, num_gpus)], bake_off=1)
    return found


def test_no_drawn_run_is_faster_than_the_peak_of_its_gpus() -> None:
    """100 runs on 12 machines each: 4 FLOPs for each parameter of the layers and token, which all must do."""
    draw = random.Random(21)  # noqa: S311 - a draw of cases
    models, rates = list(open_models().values()), {gpu.name: gpu for gpu in CATALOG.gpus}
    num_rows = 0
    for _ in range(100):
        longest, count = round(10 ** draw.uniform(1, 4)), round(10 ** draw.uniform(1, 6))
        rows = Rows(count, longest / 2, longest, longest, 4 * longest, 0.5, tier="counted")
        adapter = draw.choice([NF4, {"type": "lora"}, {"type": "none"}])
        job = job_of(draw.choice(models).config, rows, adapter=adapter)
        layers = job.shape.computing - job.shape.vocabulary * job.shape.hidden
        for row in machines(
            job, CostSpec(), CATALOG, draw.sample(CATALOG.machines, 12), bake_off=1
        ):
            if row.hours is not None:
                gpu, num_rows = rates[row.gpu], num_rows + 1
                rate = gpu.training_tflops if gpu.bf16_tflops else gpu.float32_tflops
                flops = 0.98 * count * longest / 2 * 3 * 4 * layers
                assert flops < row.hours.low * 3600 * rate * 1e12 * row.gpus_used
    assert num_rows > 500


def test_a_framework_that_spreads_nothing_is_tried_on_one_gpu_alone() -> None:
    job, eight = job_of(LLAMA_405B, adapter=NF4), [machine_of("H100 SXM", 8)]
    fits = {
        name: machines(job, CostSpec(framework=name), CATALOG, eight, bake_off=1)[0].fits
        for name in ("trl", "unsloth")
    }
    assert fits == {"trl": "yes", "unsloth": "no"}
    assert list(several(job, CATALOG, FRAMEWORKS["unsloth"])) == []
    report = asked(job, framework="unsloth", gpus=("H100 SXM",))
    assert any("trains on one GPU here" in each.message for each in report.problems)


def test_what_goes_through_the_links_is_the_frameworks_own_weights() -> None:
    """transformers keeps in float32 what it does not quantise: more bytes than TRL's."""
    job = job_of(LLAMA_405B, adapter=NF4)
    load = load_of_shard(job, 8, 2)
    h100 = gpu_named(CATALOG, "H100 SXM")
    trl, transformers = (
        framework_memory(job.shape, load, FRAMEWORKS[name]).weights
        for name in ("trl", "transformers")
    )
    assert trl < transformers
    slow = h100.model_copy(update={"link_gb_s": 1.0})
    times = [
        hours_of_shards(job.shape, load, job.work(load), slow, Spread(8, 8, weights)).high
        for weights in (trl, transformers)
    ]
    assert times[0] < times[1]


def test_405b_in_4_bits_is_spread_over_eight_gpus_and_costs_what_its_hours_cost() -> None:
    found = estimated(LLAMA_405B, "H100 SXM", 8)
    assert (found.fits, found.gpus_used) == ("yes", 8)
    # its linears in 4 bits are 195 GiB, an eighth of them 24; two layers, and the words whole in 16 bits
    assert 30 < found.needs.process_gib.median < 60
    assert found.hours is not None
    assert found.usd is not None
    assert found.usd.median == 10 * found.hours.median
    assert "finewright's own processes do not train this in shards" in found.notes[0]
    alone = estimated(LLAMA_405B, "H100 SXM", 1)
    assert (alone.fits, alone.gpus_used, alone.hours is None) == ("no", 1, False)


def test_what_one_gpu_holds_is_shared_by_as_many_as_make_it_faster() -> None:
    one, eight = (estimated(LLAMA_8B, "H100 SXM", count) for count in (1, 8))
    assert (eight.fits, eight.gpus_used, eight.needs) == ("yes", 8, one.needs)
    assert one.hours is not None
    assert eight.hours is not None
    assert one.hours.median / 8 < eight.hours.median < one.hours.median / 2
    assert eight.launch == ("launch.processes=8",)
    assert eight.notes[0].endswith(" times as fast as one GPU")
    alone = estimated(LLAMA_8B, "H100 SXM", 8, batch_size=1)
    assert (alone.gpus_used, alone.notes) == (1, ("1 of its 8 GPUs works, all are paid",))


def test_a_base_that_one_gpu_does_not_hold_is_in_shards_of_our_own_processes() -> None:
    found = estimated(LLAMA_65B, "H100 SXM", 8, adapter={"type": "lora"})
    assert (found.fits, found.gpus_used) == ("yes", 8)
    # 65 billion numbers of two bytes: an eighth of them is 15 GiB
    assert 15 < found.needs.tensors_gib.median < 40
    assert found.launch == ("launch.processes=8", "launch.fsdp=true")
    sampled = estimated(LLAMA_65B, "H100 SXM", 8, adapter={"type": "lora", "use_dora": True})
    assert sampled.launch == ()


def test_all_weights_that_one_gpu_does_not_hold_learn_in_shards() -> None:
    """8 billion numbers: 2 bytes of the weight, 12 of master and moments and 4 of the gradient each, 134 GiB
    of which an eighth is 17."""
    found = estimated(LLAMA_8B, "H100 SXM", 8, adapter={"type": "none"})
    assert (found.fits, found.gpus_used) == ("yes", 8)
    assert found.launch == ("launch.processes=8", "launch.fsdp=true")
    assert 8.03e9 * 18 / 8 / 2**30 < found.needs.tensors_gib.median < 40
    assert estimated(LLAMA_8B, "H100 SXM", 1, adapter={"type": "none"}).fits == "no"


def test_gradients_of_a_slow_link_make_more_gpus_no_faster() -> None:
    """All weights of 1 billion numbers, 4 bytes each, twice through a link of 1 GB/s: 7 s an update."""
    job = job_of(published.LLAMA_8B | {"num_hidden_layers": 1}, adapter={"type": "none"})
    slow = gpu_named(CATALOG, "H100 SXM").model_copy(update={"link_gb_s": 1.0})
    sent = 4 * job.shape.parameters * 2 * (8 - 1) / 8
    hours = in_ranks(job, slow, 2, 8)[8]
    assert hours.low > job.steps * sent / 1e9 / 3600
    fast = in_ranks(job, gpu_named(CATALOG, "H100 SXM"), 2, 8)[8]
    assert fast.median < hours.median


def test_gpus_pay_up_to_the_number_past_which_one_adds_less_than_half_of_the_first() -> None:
    """Rows of 400 tokens that differ by 1,000 keep others waiting; a step of 8 rows has none for 16."""
    job = job_of(LLAMA_8B, adapter={"type": "lora"})
    h100 = gpu_named(CATALOG, "H100 SXM")
    alone = machines(job, CostSpec(), CATALOG, [machine_of("H100 SXM")], bake_off=1)[0].hours
    assert alone is not None
    found = share_work(job, h100, 2, alone, count=16)
    speeds = {1: 1.0, **found.speeds}
    assert list(speeds) == [1, 2, 4, 8, 16]
    gains = {n: (speeds[n] - speeds[n // 2]) / (n // 2) for n in (2, 4, 8, 16)}
    assert gains[2] > 0.5 > gains[16]
    assert found.pays == max(n for n in gains if all(gains[m] >= 0.5 for m in gains if m <= n))
    assert any(each.gpu == "H100 SXM" for each in asked(job).candidates[0].shared)


def test_a_gpu_that_torch_left_is_not_used_and_said_once() -> None:
    found = estimated(LLAMA_8B, "P100", 1)
    assert (found.fits, found.hours, found.mend) == ("no", None, None)
    text = text_of(asked(job_of(adapter=NF4)))
    assert text.count("not used: P100, because torch's wheels for CUDA leave Pascal out") == 1


def test_deepseek_v3_takes_several_machines_and_the_report_says_how_many_gpus() -> None:
    job = job_of(published.DEEPSEEK_V3, adapter=NF4)
    counts = [int(each.split(" x ")[0]) for each in several(job, CATALOG)]
    assert counts == sorted(counts)
    # 1.2 TiB of its weights are experts, which stay in 16 bits
    assert counts[0] * 192 > 1200
    rows = asked(job).candidates[0].machines
    fitting = [row for row in rows if row.fits == "yes"]
    assert fitting
    assert all(row.gpus_used >= 8 and row.memory_gib > 170 for row in fitting)


def test_rows_come_by_cost_and_by_price_an_hour_where_time_is_not_known() -> None:
    rows = asked(job_of(adapter=NF4)).candidates[0].machines
    fitting = [row.usd.median for row in rows if row.fits == "yes" and row.usd]
    assert fitting == sorted(fitting)


def test_a_reserved_machine_costs_a_project_its_whole_term_and_comes_after_one_by_the_hour() -> (
    None
):
    rows = [
        machine_of("L40S", sku="reserved", tier="reserved", term_months=36),
        machine_of("L40S", usd_per_hour=Range(low=20, median=20, high=20)),
    ]
    by_hour, reserved = machines(job_of(adapter=NF4), CostSpec(), CATALOG, rows, bake_off=1)
    assert (by_hour.tier, reserved.tier) == ("on_demand", "reserved")
    assert reserved.project_usd is not None
    assert by_hour.notes == ()
    # 36 twelfths of 365 days of 24 hours, 10 dollars each
    assert reserved.project_usd.median == 262_800
    (note,) = reserved.notes
    assert note == "paid for 36 months, used or not: $262,800, in what the project costs"


def test_over_several_machines_another_framework_needs_what_it_holds_itself() -> None:
    job = job_of(published.DEEPSEEK_V3, adapter=NF4)
    (found,) = asked(job, framework="transformers").candidates
    needs = found.memory[0].process_gib.median
    gpus = {gpu.name: gpu.memory_gib for gpu in CATALOG.gpus}
    held = [int(n) * gpus[name] for n, name in (each.split(" x ") for each in found.several)]
    held += [row.gpus_used * row.memory_gib for row in found.machines if row.fits == "yes"]
    assert held
    assert min(held) > needs > 2400
