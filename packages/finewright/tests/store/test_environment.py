import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from finewright.store import environment as module
from finewright.store.environment import environment


def test_it_names_python_machine_and_packages() -> None:
    found = environment()
    assert found["python"] == platform.python_version()
    assert found["cores"] == os.cpu_count()
    packages = found["packages"]
    assert isinstance(packages, dict)
    assert packages["pydantic"] == metadata.version("pydantic")
    assert isinstance(found["cpu"], str)
    assert found["cpu"]


def test_memory_is_that_of_the_machine() -> None:
    total = Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]
    gib = int(total) / 2**20
    memory = environment()["memory_gib"]
    assert isinstance(memory, float)
    assert abs(memory - gib) < 0.1


def test_a_package_that_is_not_installed_has_no_version() -> None:
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['environment']()['packages'])"
    command = [sys.executable, "-I", "-S", "-c", code, module.__file__]
    result = subprocess.run(command, capture_output=True, check=True)
    assert b"'torch': None" in result.stdout


def test_it_imports_no_heavy_package_and_is_json() -> None:
    code = (
        "import sys, json\nfrom finewright.store.environment import environment\n"
        "print(json.dumps(environment()))\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'transformers')))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert set(json.loads(result.stdout)) == {
        "python",
        "platform",
        "cpu",
        "cores",
        "memory_gib",
        "packages",
    }
