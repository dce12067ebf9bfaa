"""Who ran it: the user and host of the operating system, and the CI job by its documented variables."""

import os
import platform
import pwd
from pathlib import Path

import pytest

from finewright.run_reader import read_run
from finewright.store.actor import Actor, CiJob, read_actor
from finewright.store.events import emit, read_events
from finewright.store.manifest import (
    CARD,
    cover,
    describe,
    read_manifest,
    record_stage,
    verify,
    write_manifest,
)
from finewright.store.rundir import RunDir

from .conftest import NOW

GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "octo-org/octo-repo",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_TRIGGERING_ACTOR": "octocat",
}
JOBS = {
    "GitHub Actions": (
        GITHUB,
        "https://github.com/octo-org/octo-repo/actions/runs/1658821493",
        "octocat",
    ),
    "GitLab CI": (
        {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_JOB_URL": "https://gitlab.com/gitlab-examples/ci-debug-trace/-/jobs/379424655",
            "GITLAB_USER_LOGIN": "root",
        },
        "https://gitlab.com/gitlab-examples/ci-debug-trace/-/jobs/379424655",
        "root",
    ),
    "Jenkins": (
        {
            "JENKINS_URL": "https://ci.example/jenkins/",
            "BUILD_URL": "https://ada:secret@ci.example/jenkins/job/tune/42/",
            "BUILD_USER_ID": "ada",
        },
        "https://ci.example/jenkins/job/tune/42/",
        "ada",
    ),
    "Azure Pipelines": (
        {
            "TF_BUILD": "True",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.com/fabrikam/",
            "SYSTEM_TEAMPROJECT": "tune",
            "BUILD_BUILDID": "88",
            "BUILD_REQUESTEDFOR": "Ada Lovelace",
        },
        "https://dev.azure.com/fabrikam/tune/_build/results?buildId=88",
        "Ada Lovelace",
    ),
    "CircleCI": (
        {
            "CI": "true",
            "CIRCLECI": "true",
            "CIRCLE_BUILD_URL": "https://circleci.com/gh/a/b/9",
            "CIRCLE_USERNAME": "ada",
        },
        "https://circleci.com/gh/a/b/9",
        "ada",
    ),
    "Buildkite": (
        {"BUILDKITE": "true", "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/tune/builds/1514"},
        "https://buildkite.com/acme/tune/builds/1514",
        "",
    ),
    "Bitbucket Pipelines": (
        {
            "CI": "true",
            "BITBUCKET_BUILD_NUMBER": "7",
            "BITBUCKET_GIT_HTTP_ORIGIN": "https://bitbucket.org/acme/tune",
        },
        "https://bitbucket.org/acme/tune/pipelines/results/7",
        "",
    ),
    "a CI service": ({"CI": "1"}, "", ""),
}


def test_the_user_and_host_are_the_operating_systems_whatever_the_variables_say() -> None:
    found = read_actor({"USER": "somebody", "LOGNAME": "somebody", "HOSTNAME": "elsewhere"})
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert found == Actor(user=name, host=platform.node(), ci=None)
    assert found.describe() == f"{name} on {platform.node()}"


@pytest.mark.parametrize("service", JOBS)
def test_a_ci_job_is_known_by_its_services_variables(service: str) -> None:
    environ, url, started_by = JOBS[service]
    assert read_actor(environ).ci == CiJob(service=service, url=url, started_by=started_by)


def test_an_address_with_a_part_missing_is_left_out() -> None:
    environ = {name: value for name, value in GITHUB.items() if name != "GITHUB_RUN_ID"}
    found = read_actor(environ).ci
    assert found == CiJob(service="GitHub Actions", url="", started_by="octocat")


@pytest.mark.parametrize("name", ["ada@bank.example", "ada\x1b[31m@bank.example", "ada\n@x"])
def test_no_e_mail_address_and_no_control_character_is_kept(name: str) -> None:
    found = read_actor({"JENKINS_URL": "x", "BUILD_USER_ID": name, "BUILD_URL": "file:///etc"}).ci
    assert found is not None
    assert found.started_by.startswith("ada")
    assert not set("@\x1b\n") & set(found.started_by)
    assert found.url == ""


def test_a_very_long_name_is_cut() -> None:
    found = read_actor({"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "a" * 10**6}).ci
    assert found is not None
    assert len(found.started_by) == 256


def test_every_event_stage_and_card_says_who(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    here = read_actor(GITHUB)
    card = run.stage_dir("train") / "README.md"
    card.write_text("# card")
    emit(run, "stage_started", stage="train")
    record_stage(run, "train", "k", [], NOW)
    cover(run, "train", describe(run, card, CARD))
    manifest = read_manifest(run)
    assert manifest.stages["train"].actor == here
    assert next(row for row in manifest.artifacts if row.kind == CARD).actor == here
    (event,) = read_events(run).events
    assert event.actor == here.model_dump(exclude_none=True)
    assert read_run(run.root).actors["train"]["ci"]["started_by"] == "octocat"
    assert verify(run) == []


def test_the_signature_covers_who(run: RunDir) -> None:
    manifest = read_manifest(run)
    stage = manifest.stages["run"]
    other = stage.model_copy(update={"actor": Actor(user="mallory", host="elsewhere")})
    write_manifest(run, manifest.model_copy(update={"stages": {"run": other}}))
    (problem,) = verify(run)
    assert (problem.level, problem.key) == ("error", "run")


def test_the_log_of_a_run_without_actors_is_read(run: RunDir, tmp_path: Path) -> None:
    run.events.write_text('{"time": "2026-11-24T09:30:00+00:00", "type": "run_ended"}\n')
    (event,) = read_events(run).events
    assert (event.type, event.fields, event.actor) == ("run_ended", {}, {})
