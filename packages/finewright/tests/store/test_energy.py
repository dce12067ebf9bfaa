"""Joules by the kernel's counters, of a folder made by hand."""

from pathlib import Path

from finewright.store.energy import Counter, joules_between, read_energy


def package(folder: Path, number: int, microjoules: int | str, wraps_at: int = 1000) -> None:
    domain = folder / f"intel-rapl:{number}"
    domain.mkdir(exist_ok=True)
    (domain / "energy_uj").write_text(f"{microjoules}\n")
    (domain / "max_energy_range_uj").write_text(f"{wraps_at}\n")


def test_joules_are_summed_over_packages_and_over_a_counter_that_began_anew(
    tmp_path: Path,
) -> None:
    package(tmp_path, 0, 100)
    package(tmp_path, 1, 900)
    before = read_energy(tmp_path)
    assert before["intel-rapl:0"] == Counter(100, 1000)
    package(tmp_path, 0, 400)
    package(tmp_path, 1, 50)
    assert joules_between(before, read_energy(tmp_path)) == (300 + 151) / 1e6


def test_what_cannot_be_read_is_no_measurement(tmp_path: Path) -> None:
    assert joules_between(read_energy(tmp_path), read_energy(tmp_path)) is None
    package(tmp_path, 0, 100)
    package(tmp_path, 1, "nothing")
    assert read_energy(tmp_path) == {}
    assert joules_between({}, {"intel-rapl:0": Counter(1, 2)}) is None
