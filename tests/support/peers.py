"""The peers the way out is measured beside: tipg and pygeoapi on the same table, each in an environment of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import yaml
from psycopg.conninfo import conninfo_to_dict

READY_SECONDS_MAX = 60
TIPG, PYGEOAPI = "tipg==1.6.1", "pygeoapi==0.24.0"
FOLDER = Path(".bench")


@dataclass(frozen=True, slots=True)
class Table:
    """Where the points are.

    Args:
        url: of the database.
        schema: of the table.
        name: of the table.
        key: its primary key.
    """

    url: str
    schema: str
    name: str
    key: str


def with_password(url: str) -> str:
    """A connection string by host and port with the password in it, for who reads no password file."""
    parts = conninfo_to_dict(url)
    lines = Path(str(parts["passfile"])).read_text(encoding="utf-8").splitlines()
    password = next(line.rsplit(":", 1)[1] for line in lines if line.split(":")[3] == parts["user"])
    return f"postgresql://{parts['user']}:{quote(password)}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def environment(name: str, python: str, *packages: str) -> Path | None:
    """A virtual environment with a peer in it, made once; None where it cannot be made."""
    folder = FOLDER / name
    done = folder / "installed"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *packages, "uvicorn", "uvloop", "httptools"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", b"") or b""
        sys.stderr.write(f"{name} is left out: {error} {output.decode(errors='replace')[-300:]}\n")
        return None
    done.touch()
    return folder


@contextmanager
def tipg(table: Table, port: int, processes: int, _: Path) -> Generator[str | None]:
    """Tipg over the table; the address of its items, or None where it is not to be had."""
    folder = environment("tipg", sys.executable, TIPG)
    if folder is None:
        yield None
        return
    settings = {
        "DATABASE_URL": table.url,
        "TIPG_DB_SCHEMAS": f'["{table.schema}"]',
        "TIPG_DB_SPATIAL": "true",
        "DB_MIN_CONN_SIZE": "4",
        "DB_MAX_CONN_SIZE": "16",
        "TIPG_CATALOG_TTL": "100000",
    }
    command = ["-m", "uvicorn", "tipg.main:app", "--port", str(port), "--workers", str(processes), "--no-access-log"]
    items = f"http://127.0.0.1:{port}/collections/{table.schema}.{table.name}/items"
    with _running(folder, command, settings, f"{items}?limit=1"):
        yield items


@contextmanager
def pygeoapi(table: Table, port: int, processes: int, work: Path) -> Generator[str | None]:
    """Pygeoapi over the table, with as little around it as it can be told."""
    python = _newer_python()
    folder = (
        environment("pygeoapi", python, PYGEOAPI, "psycopg2-binary", "geoalchemy2", "starlette") if python else None
    )
    if folder is None:
        yield None
        return
    configuration, document = work / "pygeoapi.yml", work / "pygeoapi-openapi.yml"
    configuration.write_text(yaml.safe_dump(_configuration(table, port)), encoding="utf-8")
    settings = {"PYGEOAPI_CONFIG": str(configuration), "PYGEOAPI_OPENAPI": str(document)}
    made = subprocess.run(
        [str(folder / "bin/pygeoapi"), "openapi", "generate", str(configuration), "--output-file", str(document)],
        env=os.environ | settings,
        check=False,
        capture_output=True,
    )
    if made.returncode:
        sys.stderr.write(f"pygeoapi is left out: {made.stderr.decode(errors='replace')[-300:]}\n")
        yield None
        return
    command = ["-m", "uvicorn", "pygeoapi.starlette_app:APP", "--port", str(port), "--workers", str(processes)]
    items = f"http://127.0.0.1:{port}/collections/points/items"
    with _running(folder, [*command, "--no-access-log"], settings, f"{items}?limit=1&f=json"):
        yield items


def _newer_python() -> str | None:
    """A Python pygeoapi runs on: 3.12 or newer."""
    for name in ("python3.13", "python3.12", "python3.14"):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
            return found
    for found in sorted(Path("~/.pyenv/versions").expanduser().glob("3.1[2-9]*/bin/python"), reverse=True):
        return str(found)
    sys.stderr.write("pygeoapi is left out: it needs Python 3.12 or newer\n")
    return None


def _configuration(table: Table, port: int) -> Mapping[str, object]:
    extent = {"spatial": {"bbox": [108, 29, 117, 34], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}
    text = {"en": "points"}
    provider = {
        "type": "feature",
        "name": "PostgreSQL",
        "data": {**_connection(table.url), "search_path": [table.schema, "public"]},
        "id_field": table.key,
        "table": table.name,
        "geom_field": "position",
    }
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port},
            "url": f"http://127.0.0.1:{port}",
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": 10, "max_items": 1000},
            "map": {"url": "", "attribution": ""},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                "title": text,
                "description": text,
                "keywords": {"en": ["points"]},
                "terms_of_service": "",
                "url": "http://127.0.0.1",
            },
            "license": {"name": "", "url": ""},
            "provider": {"name": "", "url": ""},
            "contact": {"name": "", "email": ""},
        },
        "resources": {
            "points": {
                "type": "collection",
                "title": "points",
                "description": "points",
                "keywords": ["points"],
                "links": [],
                "extents": extent,
                "providers": [provider],
            }
        },
    }


def _connection(url: str) -> Mapping[str, object]:
    parts = conninfo_to_dict(url)
    return {
        "host": parts.get("host", "127.0.0.1"),
        "port": int(parts.get("port", 5432) or 5432),
        "dbname": parts["dbname"],
        "user": parts["user"],
        "password": parts.get("password", ""),
    }


@contextmanager
def _running(folder: Path, command: list[str], settings: Mapping[str, str], probe: str) -> Generator[None]:
    process = subprocess.Popen(
        [str(folder / "bin/python"), *command],
        env=os.environ | dict(settings),
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(probe, timeout=10, trust_env=False).is_success:
                    break
            if time.monotonic() > deadline or process.poll() is not None:
                said = (folder / "log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"{command[2]} did not start: {said[-2000:]}")
            time.sleep(0.3)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
