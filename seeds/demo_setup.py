"""Organizations, contracts and datasets of the demo, registered once through the ``hub`` command line."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seeds.demo_errors import CommandFailed
from seeds.demo_processes import program, run
from seeds.roster import DATASETS, ORGANIZATIONS, REGION, Dataset, Organization

Progress = Callable[[str], None]
_AT_ONCE = 3
_NOT_OF_THE_HUB = {"HUB_DATA_FOLDER", "HUB_LANGUAGE"}


def token_files(folder: Path) -> Mapping[str, Path]:
    """Where each organization keeps its token."""
    return {one.id: folder / "tokens" / one.id for one in ORGANIZATIONS}


def register(folder: Path, environment: Mapping[str, str], progress: Progress) -> None:
    """Register what is missing. What is there already stays as it is, so this may be cut short and repeated."""
    done = folder / "registered"
    if done.exists():
        return

    def add_organization(organization: Organization) -> None:
        progress(organization.id)
        file = token_files(folder)[organization.id]
        if not file.exists():
            write_secret(file, _token_of(organization, environment))

    def add_dataset(dataset: Dataset) -> None:
        progress(dataset.id)
        titles = ["--title-zh", dataset.title_zh, "--title-en", dataset.title_en]
        owner = ["--contract", dataset.name, "--organization", dataset.organization]
        _hub(["dataset", "add", dataset.id, *owner, *titles], environment)

    progress("contracts")
    _hub(["contract", "register", "--shipped"], environment)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(add_organization, ORGANIZATIONS))
        list(pool.map(add_dataset, DATASETS))
    done.touch()


def _token_of(organization: Organization, environment: Mapping[str, str]) -> str:
    names = ["--name-zh", organization.name_zh, "--name-en", organization.name_en]
    place = ["--level", "province", "--region", REGION]
    try:
        return str(_hub(["organization", "add", organization.id, *names, *place], environment)["token"])
    except CommandFailed:
        # Registered by a run that was cut short before it had written the token down: replace the token.
        known = _hub(["organization", "token", "list", organization.id], environment)
        for token in known:
            with contextlib.suppress(CommandFailed):
                run([program("hub"), "organization", "token", "revoke", organization.id, token["id"]], environment)
        return str(_hub(["organization", "token", "add", organization.id], environment)["token"])


def write_settings(environment: Mapping[str, str]) -> None:
    """Into the hub's folder, so that commands which name it alone reach the same store, log and issuer."""
    names = sorted(name for name in environment if name.startswith("HUB_") and name not in _NOT_OF_THE_HUB)
    file = Path(environment["HUB_DATA_FOLDER"]) / "hub.env"
    file.parent.mkdir(parents=True, exist_ok=True)  # as open as any folder: the private cluster runs as another user
    write_secret(file, "".join(f"{name}={environment[name]}\n" for name in names))


def write_secret(file: Path, secret: str) -> None:
    """Readable by its owner alone, and complete or not there."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".unfinished-{file.name}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(f"{secret}\n")
    unfinished.rename(file)


def _hub(arguments: list[str], environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - whatever JSON the command prints
    command = [program("hub"), *arguments, "--json"]
    printed = run(command, environment)
    try:
        return json.loads(printed)
    except json.JSONDecodeError as error:
        raise CommandFailed(command, 0, printed) from error
