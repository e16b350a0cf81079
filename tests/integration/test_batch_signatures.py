"""The worker takes what its sender signed, and refuses whole what somebody else did."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from exchange_maker import DATASET, ORGANIZATION, TOPIC, Batch, Exchange, exchange_in, opened_log, row
from key_maker import ADMINISTRATOR, Pair, registered
from log_subjects import put

from catalog.organization import Organization
from catalog.store import add_mandate, add_organization
from hub.acts import keys
from hub.exchange.signature_store import find_signature
from schemas.envelope import HEADER as ENVELOPE
from schemas.national.sm2 import PrivateKey, PublicKey
from schemas.signature import HEADER, SignatureSlot

OTHER = "city-hub"


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        with made.conn.transaction():
            add_organization(made.conn, Organization(OTHER, "市枢纽", "City hub", "city", "420100"))
        yield made


def batch_of(exchange: Exchange, **members: Any) -> Batch:
    return exchange.batch([row("a", 1, 1)], **members)


def outcome(exchange: Exchange, batch: Batch, headers: Mapping[str, bytes]) -> tuple[str, str | None]:
    """Status and code of refusal of one batch that stands in the log like this."""
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        put(log, TOPIC, str(batch.envelope.batch), batch.container, headers)
        exchange.run(log)
    return exchange.receipts()[str(batch.envelope.batch)]


def plain(batch: Batch) -> Mapping[str, bytes]:
    return {ENVELOPE: batch.envelope.to_bytes()}


def must_sign(exchange: Exchange, organization: str = ORGANIZATION, *, required: bool = True) -> None:
    with exchange.conn.transaction():
        keys.require_signature(exchange.conn, ADMINISTRATOR, organization, required=required, now=datetime.now(UTC))


@pytest.fixture
def pair(exchange: Exchange) -> Pair:
    with exchange.conn.transaction():
        return registered(exchange.conn, ORGANIZATION)


def test_a_right_signature_is_taken_and_kept_as_evidence(exchange: Exchange, pair: Pair):
    must_sign(exchange)
    batch = batch_of(exchange)
    assert outcome(exchange, batch, pair.headers(batch.envelope)) == ("accepted", None)
    kept = find_signature(exchange.conn, ORGANIZATION, UUID(str(batch.envelope.batch)))
    assert kept is not None
    assert (kept.sender, kept.key_id) == (ORGANIZATION, "k1")
    public = PublicKey.from_pem(pair.key.public.to_pem())
    assert public.verify(kept.envelope.encode(), kept.signature)


@pytest.mark.usefixtures("pair")
def test_an_unsigned_batch_is_taken_where_nobody_asks_for_a_signature(exchange: Exchange):
    batch = batch_of(exchange)
    assert outcome(exchange, batch, plain(batch)) == ("accepted", None)
    assert find_signature(exchange.conn, ORGANIZATION, UUID(str(batch.envelope.batch))) is None


@pytest.mark.usefixtures("pair")
def test_an_unsigned_batch_is_refused_where_its_sender_must_sign(exchange: Exchange):
    must_sign(exchange)
    batch = batch_of(exchange)
    assert outcome(exchange, batch, plain(batch)) == ("refused", "signature_missing")
    assert exchange.conn.execute('SELECT count(*) FROM data."420000_simple"').fetchone() == (0,)
    must_sign(exchange, required=False)
    again = batch_of(exchange)
    assert outcome(exchange, again, plain(again)) == ("accepted", None)


def test_a_wrong_signature_is_refused_even_where_none_is_asked_for(exchange: Exchange, pair: Pair):
    batch, other = batch_of(exchange), batch_of(exchange)
    impostor = Pair("k1", PrivateKey.generate())
    wrong = {
        "another key": (batch_of(exchange), impostor.headers),
        "another batch": (batch, lambda _: {**pair.headers(other.envelope), ENVELOPE: batch.envelope.to_bytes()}),
    }
    for one, headers in wrong.values():
        assert outcome(exchange, one, headers(one.envelope)) == ("refused", "signature_wrong")
    changed = batch_of(exchange)
    signed = pair.headers(changed.envelope)
    forged = replace(changed.envelope, cut_at=changed.envelope.cut_at.replace(microsecond=1))
    assert outcome(exchange, changed, {**signed, ENVELOPE: forged.to_bytes()}) == ("refused", "signature_wrong")


def test_a_signature_under_another_identifier_is_refused(exchange: Exchange, pair: Pair):
    batch = batch_of(exchange)
    slot = SignatureSlot("k1", pair.key.sign(batch.envelope.to_bytes(), b""))
    headers = {**plain(batch), HEADER: slot.to_header().encode()}
    assert outcome(exchange, batch, headers) == ("refused", "signature_wrong")


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize("header", [b"", b"k1:", b"k1:AAAA", b"\xff\xfe", b"k1:" + b"A" * 96, b"../k:MAYCAQECAQE="])
def test_a_signature_that_is_none_is_refused(exchange: Exchange, header: bytes):
    batch = batch_of(exchange)
    assert outcome(exchange, batch, {**plain(batch), HEADER: header}) == ("refused", "signature_malformed")


def test_an_unknown_key_is_refused(exchange: Exchange, pair: Pair):
    batch = batch_of(exchange)
    unknown = Pair("k9", pair.key)
    assert outcome(exchange, batch, unknown.headers(batch.envelope)) == ("refused", "signature_key_unknown")


@pytest.mark.parametrize(("begins", "ends"), [(-30, -0.001), (0.01, 30)])
def test_a_key_that_has_ended_or_not_begun_is_refused_whatever_cut_at_says(
    exchange: Exchange, begins: float, ends: float
):
    with exchange.conn.transaction():
        pair = registered(exchange.conn, ORGANIZATION, "k2", begins_days=begins, ends_days=ends)
    batch = batch_of(exchange, cut_at=datetime.now(UTC).replace(year=2026, month=1))
    assert outcome(exchange, batch, pair.headers(batch.envelope)) == ("refused", "signature_key_not_valid")


def test_a_batch_that_came_while_its_key_counted_is_taken_afterwards(exchange: Exchange, pair: Pair):
    batch, late = batch_of(exchange), batch_of(exchange)
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        put(log, TOPIC, str(batch.envelope.batch), batch.container, pair.headers(batch.envelope))
        exchange.conn.execute("UPDATE organization_key SET valid_until = clock_timestamp()")
        put(log, TOPIC, str(late.envelope.batch), late.container, pair.headers(late.envelope))
        exchange.run(log)
    receipts = exchange.receipts()
    assert receipts[str(batch.envelope.batch)] == ("accepted", None)
    assert receipts[str(late.envelope.batch)] == ("refused", "signature_key_not_valid")


def test_a_key_cut_younger_than_the_batch_signs_what_waited_in_the_outbox(exchange: Exchange):
    with exchange.conn.transaction():
        pair = registered(exchange.conn, ORGANIZATION, "young", begins_days=-0.001)
    batch = batch_of(exchange, cut_at=datetime.now(UTC).replace(year=2026, month=1))
    assert outcome(exchange, batch, pair.headers(batch.envelope)) == ("accepted", None)


def test_a_revoked_key_counts_no_more_not_even_for_what_waits(exchange: Exchange, pair: Pair):
    batch = batch_of(exchange)
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        put(log, TOPIC, str(batch.envelope.batch), batch.container, pair.headers(batch.envelope))
        with exchange.conn.transaction():
            keys.revoke_key(exchange.conn, ADMINISTRATOR, ORGANIZATION, "k1", "stolen", datetime.now(UTC))
        exchange.run(log)
    assert exchange.receipts()[str(batch.envelope.batch)] == ("refused", "signature_key_revoked")


def test_while_two_keys_overlap_both_count(exchange: Exchange, pair: Pair):
    with exchange.conn.transaction():
        following = registered(exchange.conn, ORGANIZATION, "k2")
    must_sign(exchange)
    for one in (pair, following, pair):
        batch = batch_of(exchange)
        assert outcome(exchange, batch, one.headers(batch.envelope)) == ("accepted", None)


def test_it_is_the_sender_who_signs_and_not_whose_data_it_is(exchange: Exchange, pair: Pair):
    with exchange.conn.transaction():
        add_mandate(exchange.conn, OTHER, ORGANIZATION, DATASET, "test")
        senders = registered(exchange.conn, OTHER, "city-1")
    must_sign(exchange, OTHER)
    by_sender = batch_of(exchange, sender=OTHER)
    assert outcome(exchange, by_sender, senders.headers(by_sender.envelope)) == ("accepted", None)
    by_owner = batch_of(exchange, sender=OTHER)
    assert outcome(exchange, by_owner, pair.headers(by_owner.envelope)) == ("refused", "signature_key_unknown")
    unsigned = batch_of(exchange, sender=OTHER)
    assert outcome(exchange, unsigned, plain(unsigned)) == ("refused", "signature_missing")
    own = batch_of(exchange)
    assert outcome(exchange, own, plain(own)) == ("accepted", None)


def test_a_signed_batch_that_comes_again_has_one_receipt_and_one_signature(exchange: Exchange, pair: Pair):
    batch = batch_of(exchange)
    for _ in range(3):
        assert outcome(exchange, batch, pair.headers(batch.envelope)) == ("accepted", None)
    assert exchange.conn.execute("SELECT count(*) FROM batch_signature").fetchone() == (1,)
