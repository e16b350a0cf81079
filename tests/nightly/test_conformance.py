"""schemathesis in full: all phases, a hundred examples of each operation, as the two callers of ``make test``.

Some five minutes each, with another seed every day.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from access_stage import AccessStage, access_stage
from conformance import conforms

from hub.store.cluster import Cluster


@pytest.fixture
def stage(cluster: Cluster, migrated_template: str) -> Iterator[AccessStage]:
    with access_stage(cluster, migrated_template, "conformance") as made:
        yield made


@pytest.mark.parametrize("who", ["administrator", "person of the holder"])
def test_schemathesis_finds_nothing(stage: AccessStage, tmp_path: Path, who: str):
    seed = int(datetime.now(UTC).strftime("%Y%m%d"))
    found_nothing, report = conforms(
        stage, who, tmp_path / "run", "--max-examples", "100", seed=seed, timeout_seconds=3_600
    )
    assert found_nothing, report
