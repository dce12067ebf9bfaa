"""One server for the tests that leave it as it is."""

from collections.abc import Iterator

import pytest

from serve.serving import Serving, save_base, started, stop


@pytest.fixture(scope="package")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serve")
    save_base(folder)
    found = started(folder, "./base", sets=("serve.waiting=0", "serve.at_once=1"))
    yield found
    stop(found)
