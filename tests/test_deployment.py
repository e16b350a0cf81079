"""What docker-compose.yml, the image and the manifests of Kubernetes name exists: settings, commands, ports, pins."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from deploy.stack.parts import pins
from hub.api import health
from hub.cli import program
from hub.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OBJECTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((ROOT / "deploy/kubernetes/hub.yaml").read_text(encoding="utf-8"))
)
DOCKERFILE = (ROOT / "deploy/image/Dockerfile").read_text(encoding="utf-8")
IMAGE = f"shuniu-hub:{tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']['version']}"
HUB = {name: one for name, one in SERVICES.items() if str(one.get("image", "")).startswith("shuniu-hub")}
KUBERNETES_VERSION = "1.34"


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in OBJECTS:
        if one["kind"] in {"Deployment", "Job"}:
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def run_tool(*command: str) -> None:
    program_path = Path(sys.executable).with_name(command[0])
    done = subprocess.run([str(program_path), *command[1:]], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def is_command(words: list[str]) -> bool:
    """Whether the command line has this command; what stands behind it are arguments."""
    command: Any = typer.main.get_command(program([words[0]]))
    if hasattr(command, "commands"):
        command = command.commands.get(words[0], command)
    for word in words[1:]:
        if not hasattr(command, "commands"):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return not hasattr(command, "commands")


# Form ----------------------------------------------------------------------------------------------------------------


def test_the_compose_file_is_one_by_the_specifications_schema():
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_dockerfile_has_no_lint():
    run_tool("hadolint", "deploy/image/Dockerfile")


@pytest.mark.parametrize("one", OBJECTS, ids=[f"{one['kind']} {one['metadata']['name']}" for one in OBJECTS])
def test_the_manifests_are_ones_by_kubernetes_schema(one: dict[str, Any]):
    kubernetes_validate.validate(one, KUBERNETES_VERSION, strict=True)


# What is named exists ------------------------------------------------------------------------------------------------


def test_every_setting_that_is_named_exists():
    text = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "docker-compose.yml", *_files()])
    named = set(re.findall(r"\bHUB_[A-Z_]+\b", text)) - {"HUB_ADMIN_SECRET", "HUB_PORTAL_URL"}  # of the realm
    assert named - {f"HUB_{name.upper()}" for name in Settings.model_fields} == set()
    realm = (ROOT / "deploy/keycloak/hub-realm.json").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(HUB_[A-Z_]+)\}", realm)) == {"HUB_ADMIN_SECRET", "HUB_PORTAL_URL"}


def test_the_settings_that_are_named_are_taken():
    for values in (SERVICES["api"]["environment"], OBJECTS[1]["data"]):
        given = {name.removeprefix("HUB_").lower(): value for name, value in values.items() if "${" not in value}
        assert Settings(**given).log == "kafka"  # pyright: ignore[reportArgumentType]  # names of settings


def test_every_role_is_a_command_of_the_image():
    roles = {name: one["command"] for name, one in HUB.items()}
    roles |= {f"kubernetes {name}": pod["containers"][0]["args"] for name, pod in pods()}
    assert [name for name, words in roles.items() if not is_command(words)] == []
    assert not is_command(["ledger", "polish"])
    assert {tuple(words) for words in roles.values()} >= {("serve",), ("worker",), ("dispatch",), ("ledger", "seal")}


def test_images_are_those_that_are_built_and_pinned():
    images = {one["image"] for one in SERVICES.values()}
    assert images == {
        IMAGE,
        f"apache/kafka:{pins()['kafka']}",
        f"keycloak/keycloak:{pins()['keycloak']}",
        "postgis/postgis:15-3.5",
    }
    assert {pod["containers"][0]["image"] for _, pod in pods()} == {IMAGE}


def test_ports_and_health_paths_are_the_doors():
    port = Settings.model_fields["port"].default
    assert f"EXPOSE {port}\n" in DOCKERFILE
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    metrics = Settings.model_fields["metrics_port"].default
    assert SERVICES["metrics"]["ports"] == [f"127.0.0.1:{metrics}:{metrics}"]
    [api] = [pod["containers"][0] for name, pod in pods() if name == "api"]
    assert api["ports"] == [{"name": "http", "containerPort": port}]
    probed = {api[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")}
    probed |= set(re.findall(rf"http://127\.0\.0\.1:{port}([^']+)'", " ".join(SERVICES["api"]["healthcheck"]["test"])))
    assert probed == {str(getattr(route, "path", "")) for route in health.router.routes} - {"/v1/problems/{code}"}


def test_what_is_waited_for_can_be_healthy():
    for name, one in SERVICES.items():
        for other, wanted in one.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)


def test_files_that_are_mounted_and_copied_are_there():
    mounted = [str(volume).split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])]
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    files = [name for name in mounted if name.startswith("./")] + [name for line in copied for name in line.split()]
    assert [name for name in files if not (ROOT / name).exists()] == []
    kept_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [name for line in copied for name in line.split() if f"!{name}" not in kept_out] == []


def test_the_image_has_the_packages_of_the_lock_and_no_tools_of_ours():
    def locked(file: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==([^ \\]+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE))

    ours, image = locked("requirements.lock"), locked("deploy/image/requirements.lock")
    assert image.items() <= ours.items()
    assert not {"pytest", "ruff", "basedpyright"} & image.keys()
    assert {"fastapi", "kafka-python", "psycopg", "uvicorn"} <= image.keys()


# Hardening -----------------------------------------------------------------------------------------------------------


def test_the_hub_runs_unprivileged_on_a_read_only_file_system_within_limits():
    for name, one in HUB.items():
        assert one["user"] == "10001:10001", name
        assert one["read_only"], name
        assert one["cap_drop"] == ["ALL"], name
    for name, pod in pods():
        container = pod["containers"][0]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}, name
    for name, one in SERVICES.items():
        assert one["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert one["security_opt"] == ["no-new-privileges:true"], name


def test_secrets_come_by_file_and_nothing_is_published_beyond_the_loopback():
    for name, one in SERVICES.items():
        for variable, value in one.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET", variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert str(value).startswith("/run/secrets/")
        for port in one.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
    assert {one["file"] for one in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in COMPOSE["secrets"]}
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_both_env_files_name_what_the_compose_file_asks_for():
    wanted = set(re.findall(r"\$\{([A-Z_]+)(?::\?[^}]*)?\}", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    for file in sorted((ROOT / "deploy/compose").glob("*.env")):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert {line.split("=")[0] for line in lines} == wanted, file.name


def _files() -> list[Path]:
    return [path for path in sorted((ROOT / "deploy").rglob("*")) if path.suffix in {".yaml", ".env", ".sh"}]
