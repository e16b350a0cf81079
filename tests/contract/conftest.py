"""Every log that the suite runs over. Another implementation of the port joins by a parameter here."""

from collections.abc import Iterator
from typing import cast

import pytest
import running_stack
from log_subjects import Subject, embedded, hostile, kafka


@pytest.fixture(params=running_stack.logs("embedded", "hostile-1", "hostile-2", "hostile-3"))
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    name, _, seed = cast("str", request.param).partition("-")
    match name:
        case "hostile":
            opened = hostile(int(seed))
        case "kafka":
            opened = kafka(running_stack.kafka_servers(), request.getfixturevalue("database_url"))
        case _:
            opened = embedded(request.getfixturevalue("database_url"))
    with opened as one:
        yield one
