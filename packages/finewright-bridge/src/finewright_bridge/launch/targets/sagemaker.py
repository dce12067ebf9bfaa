"""The body of SageMaker's CreateTrainingJob, for `aws sagemaker create-training-job --cli-input-json`."""

import json
import re

from finewright_bridge.launch.launcher import (
    LauncherPlugin,
    LaunchPlan,
    PlaceRule,
    TargetValue,
    Written,
)

_DAY_S = 24 * 3600
"""SageMaker asks for a limit; a day where none is given, as is its own default."""
_VOLUME_GB = 100
_LOCAL = "/tmp"  # noqa: S108 - of the container, empty at its start
_CHANNEL = "/opt/ml/input/data/job"
_ECR_HOST = re.compile(r"\d+\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com")
_USUAL_REGION = "us-east-1"


def write_sagemaker(plan: LaunchPlan) -> Written:
    """A training job whose runs are its checkpoints, which SageMaker copies to S3 and back."""
    folder = f"{plan.place.rstrip('/')}/{plan.job}"
    region, region_notes = _region(plan)
    body = {
        "TrainingJobName": plan.job,
        "RoleArn": plan.values["role"],
        "AlgorithmSpecification": {
            "TrainingImage": plan.values["image"],
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["bash", f"{_CHANNEL}/run.sh"],
        },
        "InputDataConfig": [
            {
                "ChannelName": "job",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"{folder}/upload/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"{folder}/output"},
        "CheckpointConfig": {"S3Uri": f"{folder}/runs", "LocalPath": "/opt/ml/checkpoints"},
        "ResourceConfig": {
            "InstanceType": plan.machine.sku,
            "InstanceCount": 1,
            "VolumeSizeInGB": _VOLUME_GB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": plan.limit_s or _DAY_S},
        "Environment": {
            # Runs are computed on the local disk and copied as one archive: a half-copied one is never seen.
            "FINEWRIGHT_RUNS": f"{_LOCAL}/runs",
            "FINEWRIGHT_PLACE": "/opt/ml/checkpoints",
            "FINEWRIGHT_VENV": f"{_LOCAL}/venv",
        },
    }
    commands = (
        ("aws", "s3", "cp", "--recursive", "upload", f"{folder}/upload"),
        (
            *("aws", "sagemaker", "create-training-job", "--region", region),
            *("--cli-input-json", "file://job.json"),
        ),
    )
    notes = (f"the run comes back as {folder}/runs/runs.tar", *region_notes)
    return Written({"job.json": json.dumps(body, indent=2) + "\n"}, commands, notes)


def _region(plan: LaunchPlan) -> tuple[str, tuple[str, ...]]:
    """The region that is stated, else the image's, and a note where the two differ."""
    in_ecr = _ECR_HOST.match(plan.values["image"])
    image_region = in_ecr[1] if in_ecr else ""
    region = plan.values["region"] or image_region or _USUAL_REGION
    if image_region in ("", region):
        return region, ()
    return region, (f"the image lies in {image_region}, and the job is to run in {region}",)


SAGEMAKER = LauncherPlugin(
    "A training job of Amazon SageMaker.",
    write_sagemaker,
    providers={"sagemaker": "sagemaker"},
    values={
        "role": TargetValue("the ARN of the role that the job has"),
        "image": TargetValue(
            "a training image in ECR with Python 3.11 to 3.13, e.g. AWS's PyTorch training container"
        ),
        "region": TargetValue(f"the region; default: the image's, else {_USUAL_REGION}", ""),
    },
    place=PlaceRule(
        r"s3://[a-z0-9][\w.-]+(/[\w./-]*)?", "a bucket: s3://NAME or s3://NAME/FOLDER", "always"
    ),
    refuses_env="the body of the job would hold the value; read it in the image from Secrets Manager",
)
