"""Keycloak with the hub's realm, on its own file database."""

import hashlib
import os
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import PartFailed
from deploy.stack.parts import Parts, Tell
from deploy.stack.processes import Started, start
from hub.key_files import read_or_make

LOOPBACK = "127.0.0.1"
REALM = "hub"
AUDIENCE = "hub-api"
REALM_FILE = Path(__file__).parent.parent / "keycloak" / "hub-realm.json"
ADMINISTRATOR = "admin"
READY_SECONDS = 180
_BUILD_SECONDS = 300
_BUILD = ("--db=dev-file", "--health-enabled=true")
_HEAP = "-Xms64m -Xmx384m"


@dataclass(frozen=True, slots=True)
class Keycloak:
    """Where it listens and which secrets it was made with.

    Args:
        port: of the realm.
        health_port: of its health, for this machine alone.
        admin_secret: of the client by which the hub administers the realm.
    """

    port: int
    health_port: int
    admin_password: str
    admin_secret: str
    portal_url: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def realm_url(self) -> str:
        """The issuer."""
        return f"{self.url}/realms/{REALM}"


def kept_secret(file: Path) -> str:
    """A random secret in a file of its owner's alone, made once.

    Raises:
        KeysError: the file is open to others, or cannot be read.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    return read_or_make(file, lambda: secrets.token_urlsafe(32))


def start_keycloak(parts: Parts, folder: Path, keycloak: Keycloak, tell: Tell) -> Started:
    """Start it, built where it is new. The realm is imported into an empty database, and again after it changed.

    Raises:
        PartFailed: it cannot be built.
    """
    home = parts.keycloak
    environment = _environment(keycloak)
    mark = home / "built"
    if not mark.exists() or mark.read_text(encoding="ascii") != " ".join(_BUILD):
        tell("building Keycloak, once")
        command = ["sh", str(home / "bin" / "kc.sh"), "build", *_BUILD]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False, env=environment
        )
        if done.returncode != 0:
            raise PartFailed("keycloak", "could not be built", (done.stdout + done.stderr)[-1500:])
        mark.write_text(" ".join(_BUILD), encoding="ascii")
    _place_realm(home, folder)
    command = [
        *("sh", str(home / "bin" / "kc.sh"), "start", "--optimized", "--import-realm", "--http-enabled=true"),
        "--cache=local",  # that of a cluster would listen to the network
        *(f"--hostname={keycloak.url}", f"--http-host={LOOPBACK}", f"--http-port={keycloak.port}"),
        *(f"--http-management-port={keycloak.health_port}", f"--http-management-host={LOOPBACK}"),
    ]
    return start("keycloak", command, folder, environment)


def wait_until_ready(started: Started, keycloak: Keycloak) -> None:
    """Wait until it says that it is ready.

    Raises:
        PartFailed: it ended, or is not ready in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(keycloak):
        if started.process() is None:
            raise PartFailed(started.name, "ended", started.log_tail())
        if time.monotonic() > deadline:
            raise PartFailed(started.name, f"was not ready after {READY_SECONDS} s", started.log_tail())
        time.sleep(0.3)


def _environment(keycloak: Keycloak) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "JAVA_OPTS_KC_HEAP": _HEAP,
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": keycloak.admin_password,
        "HUB_ADMIN_SECRET": keycloak.admin_secret,
        "HUB_PORTAL_URL": keycloak.portal_url,
    }


def _place_realm(home: Path, folder: Path) -> None:
    """Where the realm's file is another than the one that was imported, the database is made anew."""
    text = REALM_FILE.read_bytes()
    mark = folder / "realm.sha256"
    digest = hashlib.sha256(text).hexdigest()
    if not mark.exists() or mark.read_text(encoding="ascii") != digest:
        shutil.rmtree(home / "data", ignore_errors=True)
    folder_of_imports = home / "data" / "import"
    folder_of_imports.mkdir(parents=True, exist_ok=True)
    (folder_of_imports / f"{REALM}-realm.json").write_bytes(text)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(digest, encoding="ascii")


def _is_ready(keycloak: Keycloak) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{LOOPBACK}:{keycloak.health_port}/health/ready", timeout=5) as answer:
            return answer.status == 200  # noqa: PLR2004 - HTTP
    except (urllib.error.URLError, OSError):
        return False
