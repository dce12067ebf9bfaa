import subprocess
import sys

import yaml

from finewright.schema.lock import Lock
from finewright.schema.run import RunSpec
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_text

WITHOUT_PACKAGES = """
import sys
from pathlib import Path
from finewright import plugins
plugins.find_installed = lambda kind: []
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of
print(lock_of(RunDir(Path(sys.argv[1]))).spec.model_dump().keys())
"""


def test_a_run_is_read_where_the_packages_of_its_sections_are_not_there(run: RunDir) -> None:
    """Runs of versions that had these features in their core have `tune: null`, or a section."""
    data = {"sources": [{"path": "rows.jsonl"}]}
    spec = RunSpec.model_validate({"name": "a", "base_models": ["m"], "data": data})
    lock = Lock(
        finewright="1", code_sha256="", root="/", spec=spec, candidates={}, reasons={}, inputs={}
    )
    content = yaml.safe_load(lock_text(lock))
    for section in (None, {"trials": 3}):
        content["spec"] |= {"tune": section, "migrate": None}
        run.spec_lock.parent.mkdir(parents=True, exist_ok=True)
        run.spec_lock.write_text(yaml.safe_dump(content))
        command = [sys.executable, "-c", WITHOUT_PACKAGES, str(run.root)]
        keys = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "'base_models'" in keys
        assert "tune" not in keys
