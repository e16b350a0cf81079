"""Every log that the suite runs over. Another implementation of the port joins by a parameter here."""

from collections.abc import Iterator
from typing import cast

import pytest
from log_subjects import Subject, embedded, hostile


@pytest.fixture(params=["embedded", "hostile-1", "hostile-2", "hostile-3"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    _, _, seed = cast("str", request.param).partition("-")
    opened = hostile(int(seed)) if seed else embedded(request.getfixturevalue("database_url"))
    with opened as one:
        yield one
