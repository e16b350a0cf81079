"""National cryptography behind its port: published vectors, an independent oracle, and a self-test that can fail."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

import gmalg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.national import self_test as vectors
from schemas.national.errors import KeyUnreadable, SealBroken, SelfTestFailed
from schemas.national.provider import CryptoProvider, SoftwareProvider, seal_with_nonce
from schemas.national.self_test import self_test

PROVIDER = SoftwareProvider()
PORT: CryptoProvider = PROVIDER  # the type checker holds the one against the other
KEY = bytes(range(16))


def test_the_published_vectors_come_out():
    self_test(PROVIDER)


def test_sm3_of_a_long_message_is_the_standards():
    # GB/T 32905 A.2: sixteen times "abcd".
    expected = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    assert PROVIDER.digest(b"abcd" * 16).hex() == expected


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=200))
def test_digests_and_codes_are_those_of_the_standard_library(content: bytes, key: bytes):
    assert PROVIDER.digest(content) == hashlib.new("sm3", content).digest()
    assert PROVIDER.mac(key, content) == hmac.digest(key, content, "sm3")


@given(st.binary(max_size=200))
def test_an_independent_sm3_agrees(content: bytes):
    theirs = gmalg.SM3()
    theirs.update(content)
    assert theirs.value() == PROVIDER.digest(content)


@given(st.binary(max_size=500), st.binary(max_size=50))
def test_what_is_sealed_opens(content: bytes, context: bytes):
    sealed = PROVIDER.aead_seal(KEY, content, context)
    assert len(sealed) == len(content) + 28
    assert PROVIDER.aead_open(KEY, sealed, context) == content


def test_the_same_content_is_never_sealed_the_same():
    assert len({PROVIDER.aead_seal(KEY, b"content", b"") for _ in range(200)}) == 200


def test_nothing_changed_and_nothing_for_another_use_opens():
    sealed = PROVIDER.aead_seal(KEY, b"page 2", b"cursor|420000.resident")
    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(SealBroken):
            PROVIDER.aead_open(KEY, bytes(changed), b"cursor|420000.resident")
    for key, text, context in (
        (KEY, sealed, b"cursor|420000.marriage"),
        (secrets.token_bytes(16), sealed, b"cursor|420000.resident"),
        (KEY, sealed[:-1], b"cursor|420000.resident"),
        (KEY, sealed[:27], b"cursor|420000.resident"),
        (KEY, b"", b"cursor|420000.resident"),
    ):
        with pytest.raises(SealBroken):
            PROVIDER.aead_open(key, text, context)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_key_that_is_no_sm4_key_is_refused(length: int):
    with pytest.raises(KeyUnreadable):
        seal_with_nonce(bytes(length), bytes(12), b"", b"")


def test_derived_keys_are_stable_and_differ_by_purpose():
    root = bytes(range(32))
    assert PROVIDER.derive(root, "cursor").hex() == PROVIDER.derive(root, "cursor").hex()
    made = {PROVIDER.derive(root, purpose) for purpose in ("cursor", "cursor ", "pseudonym:a", "")}
    assert len(made) == 4
    assert PROVIDER.derive(root, "cursor", 16) == PROVIDER.derive(root, "cursor")[:16]


def wrong_digest(_self: SoftwareProvider, content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def unsealed(_self: SoftwareProvider, _key: bytes, sealed: bytes, _context: bytes) -> bytes:
    return sealed[12:-16]


@pytest.mark.parametrize(
    ("name", "broken", "part"),
    [
        ("digest", wrong_digest, "SM3"),
        ("verify", lambda *_: True, "SM2"),
        ("verify", lambda *_: False, "SM2"),
        ("sign", lambda *_: vectors.SM2_SIGNATURE, "SM2 sign"),
        ("aead_open", unsealed, "SM4-GCM"),
        ("mac", lambda *_: bytes(32), "HMAC"),
        ("derive", lambda *_: bytes(16), "HKDF"),
    ],
)
def test_the_self_test_fails_where_one_part_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any], part: str
):
    monkeypatch.setattr(SoftwareProvider, name, broken)
    with pytest.raises(SelfTestFailed) as failed:
        self_test(SoftwareProvider())
    assert part in failed.value.part
