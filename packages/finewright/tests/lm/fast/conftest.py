"""Both ways in which the engine computes: its kernels where the machine can build them, and plain torch."""

from collections.abc import Iterator

import pytest

from finewright.lm.fast import library, native


@pytest.fixture
def kernels() -> None:
    """Skips, with the reason, where there is nothing to build them with; kernels that do not compile fail."""
    found = library.status()
    if found.library is None:
        assert "could not be built" not in found.reason, found.reason
        pytest.skip(found.reason)


@pytest.fixture
def attention_kernels(kernels: None) -> None:
    """Skips where the processor has no bfloat16 dot products."""
    if not library.status().dots:
        pytest.skip("the processor has no AVX512-BF16, so there is no attention kernel")


@pytest.fixture(params=["kernels", "plain torch"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test runs twice: with the kernels, and without them as on a machine that has none."""
    if request.param == "kernels":
        request.getfixturevalue("kernels")
        yield
        return
    with native.off():
        yield
