"""Instants as the door takes them: any offset that ISO 8601 can write, in UTC from then on."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.api.parameters import Instant

TAKEN = TypeAdapter[datetime](Instant)


@pytest.mark.parametrize("given", ["2026-01-01T08:00:00+08:00", "2025-12-31T07:06:00-16:54", "2026-01-01T00:00:00Z"])
def test_an_instant_is_in_utc_whatever_its_offset(given: str):
    taken = TAKEN.validate_python(given)
    assert taken.isoformat() == datetime(2026, 1, 1, tzinfo=UTC).isoformat()


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:00:00-10:00", "2026-01-01T08:00:00"])
def test_an_instant_out_of_the_calendar_or_without_an_offset_is_refused(given: str):
    with pytest.raises(ValidationError) as refused:
        TAKEN.validate_python(given)
    assert refused.value.errors()[0]["type"] in {"datetime_parsing", "timezone_aware"}
