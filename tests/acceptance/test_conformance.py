"""schemathesis reads the door's OpenAPI document and finds nothing: as an administrator, as a person of a department.

Half a minute for each; ``tests/nightly`` does the whole of it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from access_stage import AccessStage, access_stage
from conformance import conforms

from hub.store.cluster import Cluster


@pytest.fixture(scope="module")
def stage(cluster: Cluster, migrated_template: str) -> Iterator[AccessStage]:
    with access_stage(cluster, migrated_template, "conformance") as made:
        yield made


HANGS_AFTER_SECONDS = 300  # a bound for what hangs, not a figure: beside other tests it takes 50 to 130 s


@pytest.mark.parametrize(
    ("who", "phases", "examples"),
    [
        pytest.param("administrator", "coverage", 1, id="every way a request can break the document"),
        pytest.param("person of the holder", "fuzzing,stateful", 8, id="requests at random, and what follows on them"),
    ],
)
def test_schemathesis_finds_nothing(stage: AccessStage, tmp_path: Path, who: str, phases: str, examples: int):
    options = ("--phases", phases, "--max-examples", str(examples))
    found_nothing, report = conforms(
        stage, who, tmp_path / "run", *options, seed=20_261_126, timeout_seconds=HANGS_AFTER_SECONDS
    )
    assert found_nothing, report
