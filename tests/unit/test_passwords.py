"""Passwords, and the addresses people are sent back to: what is kept, what is refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.identity.embedded_issuer_request import check_redirect_uris, redirected
from hub.identity.errors import ApplicationWrong, PersonWrong
from hub.identity.passwords import hash_of, is_right, made_up


def test_a_password_is_known_by_its_hash_alone():
    password = made_up()
    kept = hash_of(password)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password not in kept
    assert is_right(password, kept)
    assert hash_of(password) != kept
    for wrong in ("", password + "x", password[:-1], password.swapcase(), "x" * 10_000, "\ud800" * 12, "\x00" * 12):
        assert not is_right(wrong, kept)


def test_without_a_hash_no_password_is_right():
    assert not is_right(made_up(), None)


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 129])
def test_a_password_has_bounds(password: str):
    with pytest.raises(PersonWrong):
        hash_of(password)


def test_made_up_passwords_are_long_and_different():
    assert len({made_up() for _ in range(100)}) == 100
    assert all(len(made_up()) == 20 for _ in range(10))


@given(st.text(alphabet=string.printable + "é。", max_size=60))
def test_only_https_or_the_loopback_address_is_sent_back_to(rest: str):
    for start in ("https://", "http://", "", "ftp://app.test/", "http://127.0.0.1"):
        try:
            check_redirect_uris([start + rest])
        except ApplicationWrong:
            continue
        uri = start + rest
        assert uri.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]"))
        assert not set(uri) & set(' "<>\\^`{|}#\r\n\t')
        assert redirected(uri, {"code": "x"}).startswith(uri)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1.evil.test/", "http://localhost@evil.test/", "http://[::2]/", "https:/x"]
)
def test_what_looks_like_the_loopback_address_is_not(uri: str):
    with pytest.raises(ApplicationWrong):
        check_redirect_uris([uri])


def test_an_address_keeps_its_query():
    assert redirected("https://app.test/?a=1", {"code": "x y"}) == "https://app.test/?a=1&code=x+y"
