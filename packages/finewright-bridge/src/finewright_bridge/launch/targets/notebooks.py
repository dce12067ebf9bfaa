"""Notebooks for Google Colab and Kaggle, in Jupyter's format 4.5.

Both install into the Python of the notebook: Colab's has no `ensurepip`, and its torch fits its machine."""

import json
from collections.abc import Sequence
from hashlib import sha256

from finewright_bridge.launch.launcher import (
    ARCHIVE,
    LauncherPlugin,
    LaunchPlan,
    PlaceRule,
    TargetValue,
    Written,
)

_DRIVE = "/content/drive"


def write_colab(plan: LaunchPlan) -> Written:
    """A notebook that asks for the archive, runs it, and hands back the runs."""
    drive = f"{_DRIVE}/MyDrive/finewright/{plan.job}" if plan.place else ""
    cells = [
        _text(
            plan, "Choose a runtime with a GPU (*Runtime, Change runtime type*), then *Run all*."
        ),
        _code(
            "import os, pathlib, subprocess, tarfile",
            "from google.colab import files",
            "",
            f"if not pathlib.Path({ARCHIVE!r}).exists():",
            f"    print('choose {ARCHIVE}, which lies beside this notebook')",
            "    files.upload()",
            f"with tarfile.open({ARCHIVE!r}) as archive:",
            "    archive.extractall('.', filter='data')",
        ),
    ]
    if drive:
        cells.append(
            _code(
                "# The run is kept on your Drive, and goes on from there when the session is lost.",
                "from google.colab import drive",
                "",
                f"drive.mount({_DRIVE!r})",
                f"os.environ['FINEWRIGHT_PLACE'] = {drive!r}",
            )
        )
    if plan.env:
        cells.append(
            _code(
                "# From the secrets of this notebook (the key on the left).",
                "from google.colab import userdata",
                "",
                f"for name in {list(plan.env)!r}:",
                "    os.environ[name] = userdata.get(name)",
            )
        )
    cells += [
        _run("/content/runs"),
        _code(
            "subprocess.run(['tar', '-czf', 'runs.tar.gz', '-C', '/content', 'runs'], check=True)",
            "files.download('runs.tar.gz')",
        ),
    ]
    notebook = _notebook(cells, {"accelerator": "GPU", "colab": {"gpuType": "T4"}})
    note = f"open {plan.job}.ipynb at colab.research.google.com, and give it {ARCHIVE}"
    return Written({f"{plan.job}.ipynb": notebook}, (), (note,))


def write_kaggle(plan: LaunchPlan) -> Written:
    """A private data set of the upload, and a private notebook that runs it."""
    user, slug = plan.values["user"], plan.job[:50].rstrip("-")
    data = f"/kaggle/input/{slug}"
    cells = [
        _text(
            plan, "The data set of the same name is the upload; the runs are the notebook's output."
        ),
        _code(
            "import os, pathlib, shutil, subprocess, tarfile",
            "",
            "# Kaggle unpacks archives of a data set; either way it becomes the folder `upload`.",
            f"found = next(pathlib.Path({data!r}).rglob('run.sh'), None)",
            "if found:",
            "    shutil.copytree(found.parent, 'upload', dirs_exist_ok=True)",
            "else:",
            f"    with tarfile.open(next(pathlib.Path({data!r}).rglob({ARCHIVE!r}))) as archive:",
            "        archive.extractall('.', filter='data')",
        ),
    ]
    if plan.env:
        cells.append(
            _code(
                "# From the secrets of this notebook (Add-ons, Secrets).",
                "from kaggle_secrets import UserSecretsClient",
                "",
                f"for name in {list(plan.env)!r}:",
                "    os.environ[name] = UserSecretsClient().get_secret(name)",
            )
        )
    cells.append(_run("/kaggle/working/runs"))
    data_set = {"id": f"{user}/{slug}", "title": slug, "licenses": [{"name": "other"}]}
    return Written(
        {
            f"{plan.job}.ipynb": _notebook(cells, {}),
            "kernel-metadata.json": _json(_kernel(plan, user, slug)),
            "data/dataset-metadata.json": _json(data_set),
        },
        (
            ("kaggle", "datasets", "create", "--path", "data", "--dir-mode", "skip"),
            ("kaggle", "kernels", "push", "--path", "."),
        ),
        ("both are private; the data set must be ready before the notebook is pushed",),
    )


def _kernel(plan: LaunchPlan, user: str, slug: str) -> dict[str, object]:
    """What `kaggle kernels push` reads beside the notebook."""
    return {
        "id": f"{user}/{slug}",
        "title": slug,
        "code_file": f"{plan.job}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_internet": True,
        "dataset_sources": [f"{user}/{slug}"],
        "competition_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }


def _run(runs: str) -> str:
    return _code(
        "# Run again, it goes on where it was stopped.",
        f"os.environ.update(FINEWRIGHT_PYTHON='here', FINEWRIGHT_RUNS={runs!r})",
        "subprocess.run(['bash', 'upload/run.sh'], check=True)",
    )


def _text(plan: LaunchPlan, more: str) -> str:
    return _cell("markdown", [f"# {plan.loaded.spec.name}", "", plan.about, "", more])


def _code(*lines: str) -> str:
    return _cell("code", lines)


def _cell(kind: str, lines: Sequence[str]) -> str:
    source = "\n".join(lines)
    cell: dict[str, object] = {
        "cell_type": kind,
        "id": sha256(source.encode()).hexdigest()[:8],
        "metadata": {},
    }
    cell |= {"source": source}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return json.dumps(cell)


def _notebook(cells: Sequence[str], metadata: dict[str, object]) -> str:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return _json(
        {
            "cells": [json.loads(cell) for cell in cells],
            "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}, **metadata},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


COLAB = LauncherPlugin(
    "A notebook for Google Colab.",
    write_colab,
    providers={"colab": "colab"},
    place=PlaceRule("drive", "drive: the run is kept on your Google Drive"),
    archive=ARCHIVE,
)
KAGGLE = LauncherPlugin(
    "A private notebook and data set for Kaggle.",
    write_kaggle,
    providers={"kaggle": "kaggle"},
    values={"user": TargetValue("your Kaggle user name")},
    archive=f"data/{ARCHIVE}",
)
