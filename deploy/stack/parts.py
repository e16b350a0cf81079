"""What the stack is made of, fetched from Maven's repository once: Kafka's libraries and Keycloak's distribution."""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import DownloadFailed, ToolMissing

POM = Path(__file__).parent / "pom.xml"
FETCH_SECONDS_MAX = 900
_PIN = re.compile(r"<([a-z0-9.]+)\.version>([^<]+)</")
_OUTPUT_CHARACTERS = 1500

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts lie.

    Args:
        java: the program.
        libs: folder of Kafka's jars.
        keycloak: Keycloak's home.
    """

    java: str
    libs: Path
    keycloak: Path


def pins() -> dict[str, str]:
    """The pinned version of each part, by the name it has in ``pom.xml`` (``kafka``, ``keycloak``, …)."""
    return dict(_PIN.findall(POM.read_text(encoding="utf-8")))


def ready_parts(folder: Path, tell: Tell) -> Parts:
    """Fetch what is missing in ``folder``. A broken-off fetch leaves nothing that would be taken for whole.

    Raises:
        ToolMissing: Java is not there, or Maven where it is needed.
        DownloadFailed: with what Maven said.
    """
    java = _tool("java", "openjdk-17-jre-headless")
    versions = pins()
    folder.mkdir(parents=True, exist_ok=True)
    libs = folder / f"kafka-{versions['kafka']}"
    if not libs.exists():
        tell(f"fetching Kafka {versions['kafka']} (55 MB)")
        fetch_libraries("Kafka", POM, libs)
    keycloak = folder / f"keycloak-{versions['keycloak']}"
    if not keycloak.exists():
        tell(f"fetching Keycloak {versions['keycloak']} (180 MB)")
        unfinished = _emptied(folder / "keycloak.unfinished")
        artifact = f"org.keycloak:keycloak-quarkus-dist:{versions['keycloak']}:zip"
        _maven("Keycloak", POM, "copy", f"-Dartifact={artifact}", f"-DoutputDirectory={unfinished}")
        (archive,) = unfinished.glob("*.zip")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(unfinished)  # of the pinned artifact, whose checksum Maven has compared
        archive.unlink()
        (unfinished / keycloak.name).rename(keycloak)
        unfinished.rmdir()
    return Parts(java, libs, keycloak)


def fetch_libraries(what: str, pom: Path, libs: Path, *, without: Sequence[str] = ()) -> None:
    """Fetch what a pom depends on into a folder of jars, but for those of some patterns; whole or not at all.

    The pom is given the stack's pins, so that it need not repeat them.

    Raises:
        ToolMissing, DownloadFailed: as above.
    """
    unfinished = _emptied(libs.with_name(f"{libs.name}.unfinished"))
    versions = [f"-D{name}.version={version}" for name, version in pins().items()]
    _maven(what, pom, "copy-dependencies", *versions, "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}")
    for jar in [jar for pattern in without for jar in unfinished.glob(pattern)]:
        jar.unlink()
    unfinished.rename(libs)


def _maven(what: str, pom: Path, goal: str, *options: str) -> None:
    maven = _tool("mvn", "maven")
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{pins()['maven.dependency']}:{goal}"
    command = [maven, "-B", "-q", "--strict-checksums", "-f", str(pom), plugin, *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise DownloadFailed(what, f"nothing came within {FETCH_SECONDS_MAX} s") from None
    if done.returncode != 0:
        raise DownloadFailed(what, (done.stdout + done.stderr).strip()[-_OUTPUT_CHARACTERS:])


def _tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(name, package)
    return found


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
