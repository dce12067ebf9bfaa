"""A script for Slurm: `sbatch job.sbatch`, on a file system that the nodes share."""

from finewright_bridge.launch.launcher import LauncherPlugin, LaunchPlan, TargetValue, Written

_WARN_S = 120
"""The signal comes so long before the end: a checkpoint of a large model takes a minute to write."""


def write_slurm(plan: LaunchPlan) -> Written:
    """A job that is put back into the queue where its node is taken, and then goes on from its run folder."""
    directives = [
        f"--job-name={plan.job}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={plan.values['cpus']}",
        f"--mem={plan.values['memory']}",
        f"--output={plan.job}-%j.log",
        "--open-mode=append",
        "--requeue",
        f"--signal=B:TERM@{_WARN_S}",
    ]
    if plan.machine.gpus:
        directives.insert(3, f"--gres={plan.values['gres']}:{plan.machine.gpus}")
    if plan.limit_s:
        minutes, seconds = divmod(plan.limit_s, 60)
        directives.append(f"--time={minutes}:{seconds:02}")
    named = {key: plan.values[key] for key in ("partition", "account", "qos")}
    directives += [f"--{key}={value}" for key, value in named.items() if value]
    # No more than these leave the shell that submits it.
    directives.append(f"--export={','.join(['HOME', 'PATH', 'USER', *plan.env])}")
    lines = [
        "#!/usr/bin/env bash",
        f"# {plan.about}",
        *(f"#SBATCH {each}" for each in directives),
        "set -euo pipefail",
        'cd "$SLURM_SUBMIT_DIR"',
        "export FINEWRIGHT_RUNS=$PWD/runs",
        "# As a child: the batch shell has the signal of the end, and hands it on.",
        "bash upload/run.sh & child=$!",
        "trap 'kill -TERM \"$child\"' TERM",
        'code=0; wait "$child" || code=$?',
        'while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done',
        'exit "$code"',
        "",
    ]
    note = "the folder must lie on a file system that the node sees; the run is kept in its `runs`"
    return Written({"job.sbatch": "\n".join(lines)}, (("sbatch", "job.sbatch"),), (note,))


SLURM = LauncherPlugin(
    "A script for Slurm.",
    write_slurm,
    values={
        "partition": TargetValue("the partition", ""),
        "account": TargetValue("the account that pays", ""),
        "qos": TargetValue("the quality of service", ""),
        "gres": TargetValue("the generic resource of a GPU, e.g. gpu:a100", "gpu"),
        "cpus": TargetValue("processors", "8"),
        "memory": TargetValue("memory of the node", "64G"),
    },
)
