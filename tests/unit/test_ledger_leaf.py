import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hub.ledger.errors import LeafWrong
from hub.ledger.leaf import BYTES_MAX, INTEGER_MAX, Leaf, Opening, commitment, record

NOW = datetime(2026, 11, 25, 9, 30, 15, 123456, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NUMBER = st.integers(0, INTEGER_MAX)
MEMBERS = {
    *("v", "log", "id", "ts", "actor", "actor_org", "on_behalf_of", "action", "object", "object_ver", "purpose"),
    *("grant_id", "decision", "rule_ids", "policy_hash", "rows", "bytes", "result_digest", "trace_id", "src_ip"),
    *("record_key", "reason"),
}


@given(
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.lists(TEXT, max_size=4),
    NUMBER,
    NUMBER,
    st.dictionaries(st.just("reason"), TEXT.filter(lambda text: "\x00" not in text)),
)
def test_a_record_is_canonical_json(
    actor: str, purpose: str, subject: str, trace: str, rules: list[str], rows: int, size: int, reason: dict[str, str]
):
    made = Leaf(
        action="release.page",
        actor=actor,
        object=subject,
        purpose=purpose,
        rules=tuple(rules),
        rows=rows,
        bytes=size,
        trace=trace,
        confidential=reason,
    )
    text = record(made, "hub/ledger/x", NOW).record
    members = json.loads(text)
    assert rfc8785.dumps(members) == text
    assert set(members) == MEMBERS
    assert (members["actor"], members["purpose"], members["rows"], members["bytes"]) == (actor, purpose, rows, size)
    assert members["rule_ids"] == rules


def test_a_record_tells_its_time_in_microseconds_of_utc():
    east = NOW.astimezone(timezone(timedelta(hours=8)))
    whole = NOW.replace(microsecond=0)
    assert json.loads(record(Leaf("a.b", "x"), "o", east).record)["ts"] == "2026-11-25T09:30:15.123456Z"
    assert json.loads(record(Leaf("a.b", "x"), "o", whole).record)["ts"] == "2026-11-25T09:30:15.000000Z"


def test_confidential_values_stand_as_commitments_only():
    made = record(
        Leaf("a.b", "x", confidential={"src_ip": "10.1.2.3", "record_key": "42010619900101", "reason": ""}), "o", NOW
    )
    members = json.loads(made.record)
    assert b"10.1.2.3" not in made.record
    assert {one.member for one in made.openings} == {"src_ip", "record_key"}
    assert all(members[one.member] == commitment(one) for one in made.openings)
    assert members["reason"] == ""


def test_the_same_value_has_another_commitment_each_time():
    one, other = (record(Leaf("a.b", "x", confidential={"src_ip": "10.1.2.3"}), "o", NOW) for _ in range(2))
    assert json.loads(one.record)["src_ip"] != json.loads(other.record)["src_ip"]


def test_a_commitment_is_hmac_sm3():
    def sm3(message: bytes) -> bytes:
        return hashlib.new("sm3", message).digest()

    key = b"k" * 32 + bytes(32)  # RFC 2104, by hand
    inner = sm3(bytes(one ^ 0x36 for one in key) + b"value")
    expected = sm3(bytes(one ^ 0x5C for one in key) + inner).hex()
    assert commitment(Opening("reason", b"k" * 32, "value")) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "Grant"},
        {"action": "grant"},
        {"rows": -1},
        {"bytes": INTEGER_MAX + 1},
        {"purpose": "x" * 1_001},
        {"rules": ("x",) * 101},
        {"rules": ("x" * 1_001,)},
        {"confidential": {"name": "x"}},
        {"confidential": {"reason": "x\x00"}},
        {"confidential": {"reason": "\ud800"}},
        {"actor": "\ud800"},
        {"rules": ("界" * 1_000,) * 20},
    ],
)
def test_what_cannot_be_recorded_is_refused(wrong: dict[str, object]):
    members: dict[str, object] = {"action": "grant.given", "actor": "person:x"} | wrong
    with pytest.raises(LeafWrong):
        record(Leaf(**members), "o", NOW)  # pyright: ignore[reportArgumentType]  # members of Leaf


def test_the_longest_record_fits_the_table():
    assert len(record(Leaf("a.b", "x", rules=("y" * 150,) * 100), "o", NOW).record) < BYTES_MAX
