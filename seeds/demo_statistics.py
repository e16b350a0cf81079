"""What the public may have of the population base: a table of counts, defined, computed, reviewed and published."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from seeds.demo_accounts import ADMINISTRATOR, REVIEWER, STEWARDS, Session
from seeds.demo_processes import program, run

DATASET: Final = "420000.resident"
AGGREGATE: Final = "age_and_sex"
DEFINITION: Final = Path(__file__).parent / "statistics" / f"{AGGREGATE}.yaml"
PROVIDER: Final = "gong-an"


def publish_statistics(public: Session, environment: Mapping[str, str]) -> None:
    """Publish the table where it is not yet: by the provider's steward, a reviewer and the administrator."""
    listed = public.get("/v1/statistics")["statistics"]
    if any(one["dataset"] == DATASET and one["aggregate"] == AGGREGATE for one in listed):
        return
    steward, reviewer = STEWARDS[PROVIDER].login, REVIEWER.login
    _hub(["define", str(DEFINITION), "--as", steward, "--json"], environment)
    computed = _hub(["compute", DATASET, AGGREGATE, "--as", steward, "--json"], environment)
    certificate = ["--certificate", computed["certificate"]]
    run([program("hub"), "statistics", "review", computed["id"], *certificate, "--as", reviewer], environment)
    run(
        [program("hub"), "statistics", "publish", computed["id"], *certificate, "--as", ADMINISTRATOR.login],
        environment,
    )


def _hub(arguments: list[str], environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - decoded JSON
    return json.loads(run([program("hub"), "statistics", *arguments], environment))
