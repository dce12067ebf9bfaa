"""What is typed after `finewright launch`."""

from pathlib import Path
from typing import Annotated, Literal

from finewright.schema.options import CommandOptions, Flag, Runs, SpecOptions, argument, option


class LaunchOptions(SpecOptions):
    """A run spec, where it is to run, and what that may cost."""

    to: str = option(
        ...,
        "Where: colab, compose, dstack, kaggle, kubernetes, sagemaker, skypilot, slurm, trainjob, vertex,"
        " vertex-tuning, or one of another package.",
    )
    out: Path | None = option(None, "The new folder; default: the spec's name and the target.")
    gpu: str = option(
        "",
        "A GPU of the price catalog, e.g. 'L4', or none for CPUs; default: the cheapest run that fits.",
    )
    provider: str = option("", "Whose machine, of the price catalog; default: the cheapest run.")
    spot: bool = option(False, "A machine that may be taken away; the run goes on from --place.")
    place: str = option(
        "",
        "Where data and run are kept: s3:// or gs:// for clouds, a volume's name for dstack, a claim's"
        " for Kubernetes, drive for Colab.",
    )
    max_usd: float | None = option(
        None, "The run is stopped when the machine has cost so much.", gt=0
    )
    max_hours: float | None = option(None, "The run is stopped after so many hours.", gt=0, le=720)
    usd_per_hour: float | None = option(
        None, "What your machine costs an hour, where no catalog knows it.", gt=0
    )
    install: str = option(
        "",
        "How finewright gets there: pypi, a folder of wheels, or git+URL@REVISION; default: wheels of this"
        " clone, else what is installed here from an index.",
    )
    env: Annotated[tuple[str, ...], Flag("--env", metavar="NAME")] = option(
        (), "An environment variable that the run needs, by name alone; repeatable."
    )
    values: Annotated[dict[str, str], Flag("--with", metavar="KEY=VALUE")] = option(
        {}, "What only this target needs, e.g. region=us-central1; repeatable."
    )
    submit: bool = option(
        False, "Start it with the target's own client, which must be set up here."
    )
    runs: Runs = Path("runs")


class BundleOptions(CommandOptions):
    """Specs, and the machine without a network on which they are to run."""

    specs: Annotated[tuple[Path, ...], argument("SPEC")] = option(
        (),
        "Specs whose files and models come along; without one, what `finewright quickstart` fetches.",
    )
    out: Path = option(..., "The new folder.")
    platform: Literal["linux/amd64", "linux/arm64"] | None = option(
        None, "The machine; default: of this one's kind."
    )
    python: Literal["3.11", "3.12", "3.13"] | None = option(None, "Its Python; default: this one.")
    archive: bool = option(False, "Write the folder as one file too: its name and `.tar`.")
