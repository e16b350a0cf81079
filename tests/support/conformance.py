"""The OpenAPI document held against the running door by schemathesis, as one caller."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from access_stage import AccessStage
from release_maker import PURPOSE

CHECKS: Final = Path(__file__).with_name("conformance_checks.py")
REAL_SHARE: Final = 0.7  # of the values drawn; the others are of nothing that is there
# A request may fit the document and still not be acceptable, for reasons no schema knows: a field the dataset does not
# have, a term that ends before it begins, another's cursor. The door answers 422 or 406 to those, by design, with a
# code of their own. That a request which fits the document breaks no signature is a check of conformance_checks.
ACCEPTABLE: Final = ["2xx", "3xx", "401", "403", "404", "406", "409", "422", "429"]
# What is asked of the dataset that has a grant, so that some requests get past the decision.
SAID: Final = {
    "header.hub-purpose": [quote(PURPOSE)],
    "query.fields": ["name,sex", "division_code"],
    "query.sort": ["sex", "-birth_date"],
}
_NAMED: Final = str.maketrans(".-", "__")
# The one place where a version is a text: it may be ``latest``.
_OF_CONTRACTS: Final = """
[dictionaries.version_of_contract]
values = ["1", "latest"]
[[operations]]
include-name = "GET /v1/contracts/{name}/{version}"
parameters = { "path.version" = { dictionary = "version_of_contract", probability = 0.7 } }
"""


def conforms(
    stage: AccessStage, who: str, folder: Path, *options: str, seed: int, timeout_seconds: float
) -> tuple[bool, str]:
    """Run schemathesis with all checks; whether it found nothing, and its report with a curl line for each finding."""
    folder.mkdir(exist_ok=True)
    config = folder / "schemathesis.toml"
    config.write_text(_config(stage, who), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{stage.door.url}/v1/openapi.json", "--checks", "all", "--continue-on-failure"),
        *("--seed", str(seed), "--generation-database", "none", "--output-sanitize", "false", "--no-color", *options),
        # Almost any JSON is a batch's body, so hypothesis tires of looking for one that breaks the document there.
        *("--suppress-health-check", "filter_too_much"),
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKS.parent), "CONFORMANCE_SPARED": " ".join(stage.spared(who))},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )
    return done.returncode == 0, done.stdout + done.stderr


def _config(stage: AccessStage, who: str) -> str:
    values: dict[str, Sequence[str | int]] = {
        f"path.{name}": [int(value) if value.isdecimal() else value] for name, value in stage.objects.items()
    }
    values |= {f"body.{name}": [stage.objects[name]] for name in ("dataset", "request")}
    values |= SAID
    names = {place: place.translate(_NAMED) for place in values}
    lines = [
        f"hooks = {json.dumps(CHECKS.stem)}",
        "request-timeout = 30",
        f'headers = {{ Authorization = "Bearer {stage.tokens[who]}" }}',
        f"checks.positive_data_acceptance.expected-statuses = {json.dumps(ACCEPTABLE)}",
        *(f"dictionaries.{names[place]}.values = {json.dumps(found)}" for place, found in values.items()),
        "[parameters]",
        *(f'"{place}" = {{ dictionary = "{names[place]}", probability = {REAL_SHARE} }}' for place in values),
    ]
    return "\n".join(lines) + _OF_CONTRACTS
