"""PostgreSQL's programs on this machine: found, or installed where that is allowed, or said how to install."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub.store.errors import PostgresMissing

OLDEST_MAJOR = 15
PROGRAMS = ("initdb", "pg_ctl", "postgres")
BIN_PATTERNS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PGDG on Red Hat and its kin
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
VERSION_TIMEOUT_SECONDS = 10
INSTALL_TIMEOUT_SECONDS = 1800

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Postgres:
    """One installed PostgreSQL."""

    folder: Path
    version: str
    has_postgis: bool

    @property
    def major(self) -> int:
        return int(self.version.split(".", maxsplit=1)[0])

    def program(self, name: str) -> str:
        return str(self.folder / name)


def ready_postgres(
    tell: Tell, *, major: int | None = None, may_install: bool = True, patterns: Iterable[str] = BIN_PATTERNS
) -> Postgres:
    """The newest PostgreSQL with PostGIS (of ``major``, where a cluster exists already); installed if need be."""
    found = find_all(patterns)
    packages = missing_packages(found, major)
    if best(found, major) is None and may_install and _install(packages, tell):
        found = find_all(patterns)
    ready = best(found, major)
    if ready is None:
        raise PostgresMissing(problem=_problem(found, major), commands=_commands(packages))
    return ready


def find_all(patterns: Iterable[str] = BIN_PATTERNS) -> list[Postgres]:
    """Every PostgreSQL that is new enough, newest first."""
    found = [postgres for folder in _folders(patterns) if (postgres := _examine(folder)) is not None]
    return sorted(found, key=lambda postgres: _numbers(postgres.version), reverse=True)


def best(found: Iterable[Postgres], major: int | None) -> Postgres | None:
    """The first that can serve: with PostGIS, and of the cluster's major version where there is a cluster."""
    return next((one for one in found if one.has_postgis and major in (None, one.major)), None)


def missing_packages(found: list[Postgres], major: int | None) -> list[str]:
    """What Debian and its kin call what is missing; without a version where the distribution may choose."""
    if major is None and found:
        major = found[0].major
    return [f"postgresql-{major}", f"postgresql-{major}-postgis-3"] if major else ["postgresql", "postgresql-postgis"]


def _folders(patterns: Iterable[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    on_path = shutil.which("pg_ctl")
    candidates = [Path(on_path)] if on_path else []
    candidates += [bin_folder / "pg_ctl" for pattern in patterns for bin_folder in Path("/").glob(pattern[1:])]
    for candidate in candidates:
        folder = candidate.resolve().parent
        if folder not in seen and all((folder / name).exists() for name in PROGRAMS):
            seen.add(folder)
            yield folder


def _examine(folder: Path) -> Postgres | None:
    try:
        told = _ask([str(folder / "postgres"), "--version"])
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"(\d+)\.(\d+)", told)
    if version is None or int(version[1]) < OLDEST_MAJOR:
        return None
    return Postgres(folder, version[0], _has_postgis(folder, int(version[1])))


def _has_postgis(folder: Path, major: int) -> bool:
    shares = [folder.parent / "share", folder.parent / "share/postgresql", folder.parent / f"share/postgresql@{major}"]
    shares += [Path(f"/usr/share/postgresql/{major}"), Path("/usr/share/pgsql")]
    configuration = folder / "pg_config"
    if configuration.exists():
        with suppress(OSError, subprocess.SubprocessError):  # it may be broken; then the usual places must do
            shares.insert(0, Path(_ask([str(configuration), "--sharedir"]).strip()))
    return any((share / "extension/postgis.control").exists() for share in shares)


def _ask(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_TIMEOUT_SECONDS, check=True)
    return done.stdout


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _install(packages: list[str], tell: Tell) -> bool:
    """With apt-get as root, or through sudo where it asks no password. Says each command before running it."""
    prefix = _root_prefix()
    if shutil.which("apt-get") is None or prefix is None:
        return False
    steps = [["apt-get", "update"], *_install_steps(packages)]
    for step in steps:
        command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *step]
        tell(f"installing PostgreSQL: {' '.join(step)}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, check=False)
        if done.returncode != 0:
            tell(f"that failed: {(done.stderr or done.stdout).strip()[-500:]}")
            return False
    return True


def _install_steps(packages: list[str]) -> list[list[str]]:
    """postgresql-common goes first and is told to make no cluster: nothing may listen on 5432 because of the hub."""
    install = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "--yes", "--no-install-recommends"]
    no_cluster = ["sed", "-i", "s/^#\\?create_main_cluster.*/create_main_cluster = false/"]
    return [
        [*install, "postgresql-common"],
        [*no_cluster, "/etc/postgresql-common/createcluster.conf"],
        [*install, *packages],
    ]


def _root_prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asked = subprocess.run([sudo, "-n", "true"], capture_output=True, timeout=VERSION_TIMEOUT_SECONDS, check=False)
    return [sudo, "-n"] if asked.returncode == 0 else None


def _problem(found: list[Postgres], major: int | None) -> str:
    fitting = [one for one in found if major in (None, one.major)]
    if fitting:
        return f"PostgreSQL {fitting[0].version} is here, PostGIS for it is not"
    if major is not None:
        return f"the data was made by PostgreSQL {major}, which is not here"
    return "no PostgreSQL was found"


def _commands(packages: list[str]) -> str:
    if shutil.which("apt-get"):
        return f"sudo apt-get update && sudo apt-get install {' '.join(packages)}"
    if shutil.which("dnf"):
        return "sudo dnf install postgresql-server postgresql-contrib postgis"
    if shutil.which("brew"):
        return "brew install postgresql@17 postgis"
    return "the packages of PostgreSQL and PostGIS with your system's package manager"
