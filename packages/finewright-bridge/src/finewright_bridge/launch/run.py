"""`launch`: look, say what would leave and what it costs, then write the files, and submit them if asked."""

import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from importlib.resources import files
from math import floor
from pathlib import Path
from shlex import join, quote
from tempfile import TemporaryDirectory

from finewright import plugins
from finewright.errors import DataError, SpecError
from finewright.feature import Session, load_offered
from finewright.schema.common import Problem, errors_of
from finewright.schema.load import LoadedSpec, load_spec
from finewright.store.atomic import os_errors, replace_dir, sha256_file
from finewright.store.keys import digest
from finewright.store.stage import refuse
from finewright_bridge.launch.install import WHEELS, packages_of, plan_install
from finewright_bridge.launch.launcher import (
    START,
    LauncherPlugin,
    LaunchPlan,
    PlaceRule,
    Written,
    values_of,
)
from finewright_bridge.launch.machine import (
    SERVICE,
    ChosenMachine,
    MachineWish,
    choose_machine,
    gpu_names,
)
from finewright_bridge.launch.options import LaunchOptions
from finewright_bridge.launch.report import LaunchReport, listing
from finewright_bridge.launch.upload import (
    UPLOAD,
    WORK,
    FetchedThere,
    Sent,
    SentFile,
    collect,
    refuse_secret,
)

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LEAST_S = 600
"""Below ten minutes a machine has hardly installed what it needs."""
_SAVE_ROUNDS = (
    15  # of 20 s: a run that is lost loses at most five minutes of what its checkpoints hold
)
_JOB_CHARACTERS = 40  # Kubernetes and Vertex take 63, and add their own


def launch(options: LaunchOptions, session: Session) -> LaunchReport:
    """Write the folder of one target. Nothing is written before the listing was shown; raises SpecError,
    DataError, or what `cost` raises, and leaves no folder then."""
    plugin: LauncherPlugin = plugins.resolve("launcher", options.to)
    _check_options(options, plugin)
    loaded = load_spec(options.spec, options.overrides)
    values = values_of(plugin, options.to, options.values)
    given = [("--place", options.place), *((f"--with {key}", text) for key, text in values.items())]
    for where, text in given:
        refuse_secret(where, text)
    out = options.out or Path(f"{loaded.spec.name}-{options.to}")
    if out.exists():
        raise DataError(f"{out}: is there already", hint="name a new folder by --out")
    machine = SERVICE if plugin.contents else _machine(options, plugin, loaded, session)
    with TemporaryDirectory() as building:
        sent = _sent(options, plugin, loaded, Path(building))
        plan = LaunchPlan(
            loaded=loaded,
            job=_job_name(loaded, sent),
            num_bytes=sum(file.bytes for file in sent.files),
            machine=machine,
            place=options.place,
            is_spot=options.spot,
            limit_s=_limit(options, machine),
            env=options.env,
            values=values,
        )
        if plugin.contents is None:
            sent = sent.with_texts({f"{UPLOAD}/{START}": _start_script(plan, sent)})
        session.tell(listing(plan.about, sent.files, sent.fetched))
        written = plugin.write(plan)
        with os_errors(out.parent):
            out.parent.mkdir(parents=True, exist_ok=True)
        with replace_dir(out) as folder:
            _write(folder, written, sent, plugin.archive)
    report = _report(options.to, out, plan, sent, written)
    return _submit(report, written, out, session) if options.submit else report


def _report(target: str, out: Path, plan: LaunchPlan, sent: Sent, written: Written) -> LaunchReport:
    return LaunchReport(
        target=target,
        folder=str(out),
        job=plan.job,
        machine=plan.machine.describe(),
        hours=plan.machine.hours,
        usd=plan.machine.usd,
        limit_hours=plan.limit_s and plan.limit_s / 3600,
        uploads=sent.files,
        fetched=sent.fetched,
        files=tuple(sorted(written.files)),
        steps=tuple(join(step) for step in written.steps),
        notes=written.notes,
        problems=tuple(_problems(plan)),
    )


def _check_options(options: LaunchOptions, plugin: LauncherPlugin) -> None:
    for name in options.env:
        if not _ENV.fullmatch(name):
            refuse_secret("--env", name)
            raise SpecError(f"--env {name.partition('=')[0]}=...: takes a name, never a value")
    if options.env and plugin.refuses_env:
        raise SpecError(f"--env: {plugin.refuses_env}")
    if options.spot and not plugin.has_spot:
        raise SpecError(f"--spot: {options.to} has no machines that are taken away and given again")
    if plugin.refuses_limit and (options.max_usd or options.max_hours):
        raise SpecError(f"--max-usd, --max-hours: {plugin.refuses_limit}")
    _check_place(options, plugin.place)


def _check_place(options: LaunchOptions, rule: PlaceRule | None) -> None:
    if rule is None:
        if options.place:
            raise SpecError(
                f"--place: {options.to} keeps the run by itself",
                hint="leave --place out; --out FOLDER says where the files are written",
            )
    elif not options.place:
        if rule.needed == "always" or (rule.needed == "spot" and options.spot):
            raise SpecError(f"{options.to} needs --place: {rule.what}")
    elif not re.fullmatch(rule.pattern, options.place):
        refuse_secret("--place", options.place)
        raise SpecError(f"--place {options.place}: {options.to} takes {rule.what}")


def _machine(
    options: LaunchOptions, plugin: LauncherPlugin, loaded: LoadedSpec, session: Session
) -> ChosenMachine:
    """By the figures of `cost`. Raises DataError where that found the run impossible."""
    forecast = load_offered("cost", "forecast")
    report = forecast(loaded, trace=False, calibrate=False, runs=options.runs, today=session.today)
    refuse(errors_of(report.problems))
    names = frozenset(gpu_names(plugin.gpus)) if plugin.gpus else None
    wish = MachineWish(
        options.gpu, options.provider, options.spot, plugin.providers, names, options.usd_per_hour
    )
    return choose_machine(report, wish)


def _limit(options: LaunchOptions, machine: ChosenMachine) -> int | None:
    """Seconds after which the machine is given back. Raises SpecError where money cannot be told in time."""
    limits = [options.max_hours * 3600] if options.max_hours else []
    if options.max_usd:
        if not machine.usd_per_hour:
            if machine.usd_per_hour is None:
                raise SpecError(
                    "--max-usd: what your machine costs an hour is not known",
                    hint="--usd-per-hour PRICE, or --max-hours",
                )
        else:
            limits.append(options.max_usd / machine.usd_per_hour * 3600)
    if limits and min(limits) < _LEAST_S:
        raise SpecError(
            f"the limit is {min(limits):.0f} s of {machine.describe()}; in less than {_LEAST_S} s nothing"
            " is trained",
            hint="raise --max-usd or --max-hours, or take a cheaper machine",
        )
    return floor(min(limits)) if limits else None


def _problems(plan: LaunchPlan) -> Iterator[Problem]:
    hours, limit = plan.machine.hours, plan.limit_s
    if limit and hours and hours.high * 3600 > limit:
        yield Problem(
            level="warning",
            message=f"it is stopped after {limit / 3600:.3g} h, and its steps alone take up to"
            f" {hours.high:.3g} h; what was done by then is kept, and a new launch goes on from it",
        )
    is_rented = plan.machine.usd_per_hour is None and plan.machine.provider and plan.machine.gpus
    if not limit and (plan.machine.usd_per_hour or is_rented):
        yield Problem(
            level="warning", message="nothing limits what it costs", hint="--max-usd or --max-hours"
        )


def _sent(
    options: LaunchOptions, plugin: LauncherPlugin, loaded: LoadedSpec, building: Path
) -> Sent:
    """All that leaves this machine, but for the script that starts it, which needs the rest."""
    if plugin.contents is not None:
        return Sent((), {}, (), ()).with_texts(
            {f"{UPLOAD}/{name}": text for name, text in plugin.contents(loaded).items()}
        )
    upload = collect(loaded, options.overrides)
    install = plan_install(options.install, packages_of(loaded), building)
    wheels = tuple(
        SentFile(
            to=f"{UPLOAD}/{WHEELS}/{wheel.name}",
            source=str(wheel),
            key="--install",
            bytes=wheel.stat().st_size,
            sha256=sha256_file(wheel),
        )
        for wheel in install.wheels
    )
    head = "--constraint constraints.txt\n" if install.constraints else ""
    texts = {
        f"{UPLOAD}/{WORK}/{upload.spec_name}": upload.spec,
        f"{UPLOAD}/requirements.txt": head + install.requirements,
    }
    if install.constraints:
        texts[f"{UPLOAD}/constraints.txt"] = install.constraints
    fetched = (*upload.fetched, FetchedThere(key="--install", what=install.what, kind="finewright"))
    return Sent((*upload.files, *wheels), {}, fetched, upload.trusted).with_texts(texts)


def _job_name(loaded: LoadedSpec, sent: Sent) -> str:
    """The same for the same spec, data and code: what is started again finds the run that it began."""
    key = digest({file.to: file.sha256 for file in sent.files})
    return f"{loaded.spec.name[:_JOB_CHARACTERS].rstrip('-')}-{key[:8]}"


def _start_script(plan: LaunchPlan, sent: Sent) -> str:
    """The one script that every machine runs."""
    is_alone = plan.loaded.spec.launch.is_alone
    settings = plan.machine.settings if is_alone else ()  # else those of the spec stand
    trust = [f"finewright trust add {quote(path)} > /dev/null" for path in sent.trusted]
    values = {
        "ABOUT": plan.about.replace("\n", " "),
        "LIMIT": str(plan.limit_s or 0),
        "ROUNDS": str(_SAVE_ROUNDS),
        "TRUST": "\n".join(
            ["# What this user trusts at home runs here too.", *trust] if trust else []
        ),
        "SPEC": quote(f"{WORK}/{plan.loaded.path.name}"),
        "SETTINGS": "".join(f" --set {setting}" for setting in settings),
    }
    text = files("finewright_bridge.launch").joinpath(START).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _write(folder: Path, written: Written, sent: Sent, archive_name: str) -> None:
    for file in sent.files:
        path = folder / file.to
        path.parent.mkdir(parents=True, exist_ok=True)
        text = sent.texts.get(file.to)
        if text is not None:
            path.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(file.source, path)
    inner = [(file.sha256, file.to.removeprefix(f"{UPLOAD}/")) for file in sent.files]
    sums = "".join(f"{sha256}  {name}\n" for sha256, name in inner)
    (folder / UPLOAD / "SHA256SUMS").write_text(sums, encoding="utf-8")
    if archive_name:
        (folder / archive_name).parent.mkdir(exist_ok=True)
        with tarfile.open(folder / archive_name, "w:gz") as archive:
            archive.add(folder / UPLOAD, UPLOAD)
        shutil.rmtree(folder / UPLOAD)
    for name, text in written.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _submit(report: LaunchReport, written: Written, out: Path, session: Session) -> LaunchReport:
    """Run the steps with the place's own client, which must be set up here; the files stay either way."""
    clients = dict.fromkeys(step[0] for step in written.steps)
    missing = [client for client in clients if shutil.which(client) is None]
    if not written.steps or missing:
        why = f"no `{missing[0]}` on PATH" if missing else "it is started by hand"
        raise DataError(
            f"nothing was submitted: {why}; the files are in {out}",
            hint="; ".join(report.steps) or "; ".join(report.notes),
        )
    for step in written.steps:
        session.tell(f"{out}: {join(step)}\n")
        done = subprocess.run(step, cwd=out, check=False)
        if done.returncode:
            raise DataError(
                f"{join(step)}: ended with code {done.returncode}; what came before it is done,"
                " and nothing after it",
                hint=f"fix what it says, and repeat it in {out}",
            )
    return report.model_copy(update={"is_submitted": True})
