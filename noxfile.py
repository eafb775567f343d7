"""The chores. `nox -l` lists them; whatever follows `--` is handed to the tool."""

import json
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)

_LOCKED = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-header")

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types", "imports", "docs", "package", "audit", "tests"]
nox.options.reuse_existing_virtualenvs = True


def install_group(session: nox.Session, group: str) -> None:
    session.install(*nox.project.dependency_groups(PYPROJECT, group))


def install_as_users_do(session: nox.Session, *groups: str) -> None:
    """Builds the wheel and installs that: what runs is what users get, not the work tree."""
    session.install(".[server]", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely bugs; `-- --fix` repairs what it can."""
    install_group(session, "lint")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", *(() if "--fix" in session.posargs else ("--check",)))


@nox.session
def types(session: nox.Session) -> None:
    """Strict types over the source, and by two checkers over programs that use it."""
    install_as_users_do(session, "types")
    session.run("mypy", *session.posargs)
    session.run("pyright")


@nox.session
def imports(session: nox.Session) -> None:
    """Who may import whom."""
    install_group(session, "imports")
    session.run("lint-imports", *session.posargs, env={"PYTHONPATH": "src"})


@nox.session
def audit(session: nox.Session) -> None:
    """Dependencies with known vulnerabilities; skipped where no index that knows of any can be reached."""
    install_as_users_do(session, "audit")
    report = Path(session.create_tmp(), "audit.json")
    report.unlink(missing_ok=True)
    arguments = ["--progress-spinner=off", "--format=json", f"--output={report}"]
    session.run("pip-audit", *arguments, *session.posargs, success_codes=[0, 1], silent=True)
    if not report.exists():
        session.skip("pip-audit could not reach an index with advisories: nothing was audited")
    others = [
        one for one in json.loads(report.read_text())["dependencies"] if one["name"] != PYPROJECT["project"]["name"]
    ]
    audited = [one for one in others if "vulns" in one]
    if not audited:
        session.skip("the index has no advisories: nothing was audited")
    found = [f"{one['name']} {one['version']}: {bug['id']}" for one in audited for bug in one["vulns"]]
    unknown = [one["name"] for one in others if "vulns" not in one]
    if found or unknown:
        session.error("\n".join([*found, *(f"{name}: not audited" for name in unknown)]))
    session.log(f"{len(audited)} dependencies, none with a known vulnerability")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The plain run, which ends with what it left to the sessions below; warnings are errors."""
    install_as_users_do(session, "tests")
    session.run("pytest", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Real processes, killed and cut off; `-- --full` does so as often and for as long as the fault catalogue says."""
    install_as_users_do(session, "tests")
    options = session.posargs or ["--suite=faults"]
    session.run("pytest", *options, existing(session, "tests/faults"))


@nox.session
def integration(session: nox.Session) -> None:
    """The longer tests of servers, terminals and receivers, which the plain run leaves out."""
    install_as_users_do(session, "tests")
    session.run("pytest", "--suite", "integration", *session.posargs)


@nox.session(python=PYTHONS)
def demo(session: nox.Session) -> None:
    """The demo and the unit tests: whether cronhook works at all on one version of Python."""
    install_as_users_do(session, "tests")
    session.run("cronhook", "demo")
    session.run("pytest", *(session.posargs or [existing(session, "tests/unit")]))


@nox.session
def soak(session: nox.Session) -> None:
    """Random faults under load for `-- --minutes N --seed S`; prints its seed and a card."""
    install_as_users_do(session, "tests")
    session.run("python", "-m", "tests.faults.soak", *session.posargs)


@nox.session
def prometheus(session: nox.Session) -> None:
    """A real Prometheus, of Debian's package, scrapes real processes; promtool checks what is shipped for it."""
    install_as_users_do(session, "tests")
    session.run("pytest", "--debian", *(session.posargs or [existing(session, "tests/integration/prometheus")]))


@nox.session
def pooler(session: nox.Session) -> None:
    """The suites of the stores, and daemons, through a real PgBouncer of Debian's package."""
    install_as_users_do(session, "tests")
    session.run("pytest", "--debian", *(session.posargs or [existing(session, "tests/pooler")]))


@nox.session
def compose(session: nox.Session) -> None:
    """compose.yaml as Docker's compose of Debian's package reads it."""
    install_as_users_do(session, "tests")
    session.run("pytest", "--debian", "-m", "debian", *(session.posargs or [existing(session, "tests/deploy")]))


@nox.session
def api(session: nox.Session) -> None:
    """The API against its document on both stores; the number of requests on each may follow (default 20000)."""
    install_as_users_do(session, "tests")
    session.run("python", "-m", "tests.openapi", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """The core broken in known ways, each of which the model must notice; names of some may follow."""
    install_as_users_do(session, "tests")
    session.run("python", "-m", "tests.model.mutants", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Ratios to a raw ceiling that is measured in the same run."""
    install_as_users_do(session, "tests")
    session.run("python", "-m", existing(session, "benchmarks"), *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documents as HTML; a warning is an error."""
    install_as_users_do(session, "docs")
    target = "docs/_build/html"
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", *session.posargs, "docs", target)


@nox.session
def package(session: nox.Session) -> None:
    """The wheel and the source archive, checked as the package index would."""
    install_group(session, "package")
    target = session.create_tmp()
    for old in Path(target).glob("cronhook-*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", target, *session.posargs)
    session.run("twine", "check", "--strict", *map(str, Path(target).glob("cronhook-*")))


@nox.session
def lock(session: nox.Session) -> None:
    """Write the hashes of the newest packages into `requirements/`, for the image and the build."""
    session.install("uv")
    sources = {"server": ["pyproject.toml", "--extra=server"], "chores": ["--group=chores"], "build": ["--group=build"]}
    for name, source in sources.items():
        output = f"--output-file=requirements/{name}.txt"
        session.run("uv", "pip", "compile", "--quiet", "--upgrade", *source, *_LOCKED, output, *session.posargs)


def existing(session: nox.Session, folder: str) -> str:
    if not Path(folder).is_dir():
        session.error(f"there is no folder {folder}")
    return folder
