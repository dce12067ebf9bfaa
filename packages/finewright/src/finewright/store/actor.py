"""Who does something: the user and host, and the CI job where one runs. Plain data for events, manifests,
approvals and acceptances.

Covered: what the operating system and the CI service say of themselves. Not covered: proof of it; a
variable can be set by hand, so who stands behind a run is a matter of its signatures (`store.signing`).
E-mail addresses are not kept: of a name with an "@" only the part before it is."""

import os
import platform
import pwd
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from finewright.schema.common import Model

_LONGEST = 256
"""Characters of a name, and 4 times as many of an address; variables of a CI job can hold anything."""


class CiJob(Model):
    """A job of a CI service: the service's name, the address of the job, and who started it, as far as the
    service says so; empty where it does not."""

    service: str
    url: str = ""
    started_by: str = ""


class Actor(Model):
    """The user by the operating system's name, the host's name, and the CI job, if it is one."""

    user: str
    host: str
    ci: CiJob | None = None

    def describe(self) -> str:
        """`ada on build-7, for GitHub Actions, started by ada`."""
        text = f"{self.user} on {self.host}"
        if self.ci is None:
            return text
        by = f", started by {self.ci.started_by}" if self.ci.started_by else ""
        return f"{text}, for {self.ci.service}{by}"


class _Service(NamedTuple):
    """How a CI service is known: the variable that it sets, that of who started the job, and the address."""

    name: str
    mark: str
    starter: str
    url: Callable[[Mapping[str, str]], str]


def read_actor(environ: Mapping[str, str] | None = None) -> Actor:
    """Who runs this process; `environ` is the environment, where it is not the process's own."""
    variables = os.environ if environ is None else environ
    host = _clean(platform.node()) or "unknown"
    return Actor(user=_user(os.geteuid()), host=host, ci=_read_job(variables))


def _read_job(environ: Mapping[str, str]) -> CiJob | None:
    service = next((each for each in _SERVICES if environ.get(each.mark)), None)
    if service is None:
        return None
    by = _clean(environ.get(service.starter, ""))
    return CiJob(service=service.name, url=_public_url(service.url(environ)), started_by=by)


def _github(environ: Mapping[str, str]) -> str:
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    return _joined(environ, "{}/{}/actions/runs/{}", *names)


def _azure(environ: Mapping[str, str]) -> str:
    names = ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    return _joined(environ, "{}/{}/_build/results?buildId={}", *names)


def _bitbucket(environ: Mapping[str, str]) -> str:
    names = ("BITBUCKET_GIT_HTTP_ORIGIN", "BITBUCKET_BUILD_NUMBER")
    return _joined(environ, "{}/pipelines/results/{}", *names)


def _variable(name: str) -> Callable[[Mapping[str, str]], str]:
    return lambda environ: environ.get(name, "")


_SERVICES = (
    # Each by the variables that its own reference documents, read in December 2026.
    _Service("GitHub Actions", "GITHUB_ACTIONS", "GITHUB_TRIGGERING_ACTOR", _github),
    _Service("GitLab CI", "GITLAB_CI", "GITLAB_USER_LOGIN", _variable("CI_JOB_URL")),
    _Service("Jenkins", "JENKINS_URL", "BUILD_USER_ID", _variable("BUILD_URL")),
    _Service("Azure Pipelines", "TF_BUILD", "BUILD_REQUESTEDFOR", _azure),
    _Service("CircleCI", "CIRCLECI", "CIRCLE_USERNAME", _variable("CIRCLE_BUILD_URL")),
    _Service("Buildkite", "BUILDKITE", "BUILDKITE_BUILD_CREATOR", _variable("BUILDKITE_BUILD_URL")),
    _Service("Bitbucket Pipelines", "BITBUCKET_BUILD_NUMBER", "", _bitbucket),
    _Service("TeamCity", "TEAMCITY_VERSION", "", _variable("BUILD_URL")),
    _Service("a CI service", "CI", "", _variable("")),
)
"""The last is what services set that have no line of their own."""


def _joined(environ: Mapping[str, str], form: str, *names: str) -> str:
    """The address of these variables; empty where one is missing."""
    values = [environ.get(name, "").rstrip("/") for name in names]
    return form.format(*values) if all(values) else ""


def _public_url(text: str) -> str:
    """An address of the web without the name and password that it may carry; empty for anything else."""
    try:
        parts = urlsplit(_without_controls(text)[: 4 * _LONGEST])
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https"):
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@cache
def _user(number: int) -> str:
    try:
        return _clean(pwd.getpwuid(number).pw_name) or f"user {number}"
    except KeyError:  # a container may run as a number that has no name
        return f"user {number}"


def _clean(name: str) -> str:
    return _without_controls(name).partition("@")[0][:_LONGEST].strip()


def _without_controls(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "", text)
