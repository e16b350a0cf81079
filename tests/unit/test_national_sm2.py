"""SM2: the published example verifies, and nothing but a signature's one form over exactly these bytes does."""

import ctypes.util
import gc
import pickle
import random
import secrets
from concurrent.futures import ThreadPoolExecutor

import gmalg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.national import libcrypto
from schemas.national.errors import KeyUnreadable, LibraryMissing, Sm2Absent
from schemas.national.libcrypto import Libcrypto, choose_libcrypto, find_libcrypto, load_libcrypto
from schemas.national.self_test import SM2_MESSAGE, SM2_POINT, SM2_SIGNATURE
from schemas.national.sm2 import PrivateKey, PublicKey
from schemas.signature import is_canonical_der

KEY = PrivateKey.generate()
ID = b"1234567812345678"
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
P256_PUBLIC = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
"""


def raw_of(der: bytes) -> bytes:
    """r ‖ s of a DER signature."""
    r_end = 4 + der[3]
    r, s = der[4:r_end], der[r_end + 2 :]
    return b"".join(int.from_bytes(part).to_bytes(32) for part in (r, s))


def integer(value: int, *, zeros: int = 0) -> bytes:
    content = bytes(zeros) + value.to_bytes(value.bit_length() // 8 + 1)
    return b"\x02" + bytes([len(content)]) + content


def sequence(*parts: bytes) -> bytes:
    content = b"".join(parts)
    return b"\x30" + bytes([len(content)]) + content


def test_the_example_of_the_standard_verifies():
    public = PublicKey.from_point(SM2_POINT)
    assert public.verify(SM2_MESSAGE, SM2_SIGNATURE)
    assert not public.verify(b"message digesu", SM2_SIGNATURE)


def test_the_identifier_is_part_of_what_is_signed():
    public = PublicKey.from_point(SM2_POINT)
    assert not public.verify(SM2_MESSAGE, SM2_SIGNATURE, b"ALICE123@YAHOO.COM")
    assert not public.verify(SM2_MESSAGE, SM2_SIGNATURE, b"")
    signature = KEY.sign(b"m", b"someone")
    assert KEY.public.verify(b"m", signature, b"someone")
    assert not KEY.public.verify(b"m", signature)


def test_three_hundred_signatures_differ_and_verify_under_their_message_alone():
    rng = random.Random(32918)
    messages = [rng.randbytes(rng.randrange(2_000)) for _ in range(300)]
    signatures = [KEY.sign(message) for message in messages]
    assert len(set(signatures)) == 300
    assert all(is_canonical_der(signature) for signature in signatures)
    for number, (message, signature) in enumerate(zip(messages, signatures, strict=True)):
        assert KEY.public.verify(message, signature)
        assert not KEY.public.verify(message + b"\x00", signature)
        assert not KEY.public.verify(message, signatures[number - 1])


def test_no_flipped_bit_of_a_signature_or_message_verifies():
    message = b"an envelope"
    signature = KEY.sign(message)
    for at in range(len(signature) * 8):
        changed = bytearray(signature)
        changed[at // 8] ^= 1 << at % 8
        assert not KEY.public.verify(message, bytes(changed)), at
    for at in range(len(message) * 8):
        changed = bytearray(message)
        changed[at // 8] ^= 1 << at % 8
        assert not KEY.public.verify(bytes(changed), signature), at


def test_another_form_of_a_right_signature_is_refused():
    raw = raw_of(SM2_SIGNATURE)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    assert sequence(integer(r), integer(s)) == SM2_SIGNATURE
    wrong = {
        "trailing byte": SM2_SIGNATURE + b"\x00",
        "trailing byte inside": sequence(integer(r), integer(s), b"\x00"),
        "needless zero": sequence(integer(r, zeros=1), integer(s)),
        "long length": b"\x30\x81" + SM2_SIGNATURE[1:],
        "indefinite length": b"\x30\x80" + SM2_SIGNATURE[2:] + b"\x00\x00",
        "raw": raw,
        "negative": SM2_SIGNATURE.replace(b"\x02\x21\x00", b"\x02\x20"),
        "s + order": sequence(integer(r), integer(s + ORDER)),
        "zeros": sequence(integer(0), integer(0)),
        "order": sequence(integer(ORDER), integer(s)),
        "order minus r": sequence(integer(r), integer(ORDER - r)),
        "empty": b"",
    }
    public = PublicKey.from_point(SM2_POINT)
    assert [name for name, der in wrong.items() if public.verify(SM2_MESSAGE, der)] == []


@given(st.binary(max_size=100))
@settings(max_examples=300)
def test_no_bytes_whatever_end_in_anything_but_a_verdict(der: bytes):
    assert not KEY.public.verify(b"m", der)


def test_an_independent_implementation_agrees_both_ways():
    point = KEY.public.point
    for number in range(20):
        message = secrets.token_bytes(number * 13)
        raw = raw_of(KEY.sign(message))
        theirs = gmalg.SM2(pk=point, uid=ID)
        assert theirs.verify(message, raw[:32], raw[32:])
    secret = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
    signer = gmalg.SM2(sk=secret, uid=ID, pk=SM2_POINT)
    for number in range(20):
        message = secrets.token_bytes(number * 13)
        r, s = signer.sign(message)
        der = sequence(integer(int.from_bytes(r)), integer(int.from_bytes(s)))
        assert PublicKey.from_point(SM2_POINT).verify(message, der)


# Keys ----------------------------------------------------------------------------------------------------------------


def test_a_key_comes_back_from_its_text():
    again = PrivateKey.from_pem(KEY.to_pem())
    assert again.public.spki == KEY.public.spki
    assert again.to_pem() == KEY.to_pem()
    public = PublicKey.from_pem(KEY.public.to_pem())
    assert public.to_pem() == KEY.public.to_pem()
    assert public.fingerprint == KEY.public.fingerprint
    assert public.verify(b"m", again.sign(b"m"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        KEY.to_pem(),
        P256_PUBLIC,
        KEY.public.to_pem() * 2,
        KEY.public.to_pem().replace("M", "!", 1),
        KEY.public.to_pem() + "x" * 5_000,
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_what_is_no_public_key_is_refused(text: str):
    with pytest.raises(KeyUnreadable):
        PublicKey.from_pem(text)


def test_a_private_key_is_not_taken_for_a_public_one_and_none_of_it_is_said():
    with pytest.raises(KeyUnreadable) as refused:
        PublicKey.from_pem(KEY.to_pem())
    assert "PRIVATE KEY" in refused.value.sentence("en")
    assert KEY.to_pem().splitlines()[1] not in str(refused.value.parameters())


def test_points_that_are_none_of_the_curves_are_refused():
    x, y = KEY.public.point[1:33], KEY.public.point[33:]
    for point in (
        b"\x04" + y + x,
        b"\x04" + bytes(64),
        b"\x02" + x,
        b"\x06" + x + y,
        b"\x00",
        b"",
        b"\x04" + b"\xff" * 64,
    ):
        with pytest.raises(KeyUnreadable):
            PublicKey.from_point(point)


@pytest.mark.parametrize(
    "text", ["", KEY.public.to_pem(), KEY.to_pem()[:-40], P256_PUBLIC.replace("PUBLIC", "PRIVATE")]
)
def test_what_is_no_private_key_is_refused(text: str):
    with pytest.raises(KeyUnreadable):
        PrivateKey.from_pem(text)


def test_a_private_key_whose_halves_do_not_belong_together_is_refused():
    import base64

    other = PrivateKey.generate().public.point
    der = base64.b64decode("".join(KEY.to_pem().splitlines()[1:-1]))
    assert KEY.public.point in der
    mixed = base64.b64encode(der.replace(KEY.public.point, other)).decode()
    with pytest.raises(KeyUnreadable):
        PrivateKey.from_pem(f"-----BEGIN PRIVATE KEY-----\n{mixed}\n-----END PRIVATE KEY-----\n")


def test_a_private_key_shows_itself_nowhere():
    assert KEY.to_pem().splitlines()[1][:8] not in repr(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_threads_share_keys():
    def work(number: int) -> bool:
        message = str(number).encode()
        return KEY.public.verify(message, KEY.sign(message)) and not KEY.public.verify(b"x", KEY.sign(message))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(400)))


def test_every_key_and_context_is_freed(monkeypatch: pytest.MonkeyPatch):
    library = Libcrypto(load_libcrypto().name)
    counted = dict.fromkeys(("EVP_PKEY_free", "EVP_MD_CTX_new", "EVP_MD_CTX_free", "EVP_PKEY_CTX_free"), 0)
    made = {"EVP_PKEY_CTX_new_from_name": 0, "EVP_PKEY_CTX_new_from_pkey": 0, "d2i_PUBKEY": 0, "EVP_PKCS82PKEY": 0}
    counted |= made | {"EVP_PKEY_generate": 0}
    for name in counted:
        original = getattr(library.calls, name)

        def counting(*given: object, _name: str = name, _original: object = original) -> object:
            counted[_name] += 1
            assert callable(_original)
            return _original(*given)

        monkeypatch.setattr(library.calls, name, counting)
    for _ in range(10):
        key = PrivateKey.generate(library)
        read = PrivateKey.from_pem(key.to_pem(), library)
        assert read.public.verify(b"m", key.sign(b"m"))
        with pytest.raises(KeyUnreadable):
            PublicKey.from_point(b"\x04" + bytes(64), library)
        del key, read
    gc.collect()
    assert counted["EVP_MD_CTX_new"] == counted["EVP_MD_CTX_free"] == 20
    contexts = counted["EVP_PKEY_CTX_new_from_name"] + counted["EVP_PKEY_CTX_new_from_pkey"]
    assert contexts == counted["EVP_PKEY_CTX_free"] == 20
    keys = counted["EVP_PKEY_generate"] + counted["d2i_PUBKEY"] - 10 + counted["EVP_PKCS82PKEY"]
    assert keys == counted["EVP_PKEY_free"] == 40


def test_no_error_of_openssls_is_left_for_others():
    library = load_libcrypto()
    KEY.public.verify(b"m", SM2_SIGNATURE)
    KEY.public.verify(b"m", b"\x30")
    with pytest.raises(KeyUnreadable):
        PublicKey.from_point(b"\x04" + bytes(64))
    assert library.calls.ERR_get_error() == 0


# The library ---------------------------------------------------------------------------------------------------------


def test_a_library_that_is_not_there_is_refused_by_name():
    with pytest.raises(LibraryMissing) as refused:
        find_libcrypto("libabsent.so.9")
    assert "libabsent.so.9" in refused.value.sentence("zh")


def test_what_is_no_openssl_3_is_refused():
    with pytest.raises(LibraryMissing):
        find_libcrypto(ctypes.util.find_library("c"))


def test_a_library_without_sm2_is_refused_and_nothing_takes_its_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Libcrypto, "has_sm2", lambda _self: False)
    find_libcrypto.cache_clear()
    with pytest.raises(Sm2Absent) as refused:
        find_libcrypto()
    assert "HUB_LIBCRYPTO" in refused.value.sentence("en")
    find_libcrypto.cache_clear()


def test_the_library_that_was_chosen_is_the_one_keys_use(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(libcrypto._Chosen, "library", None)
    chosen = choose_libcrypto(load_libcrypto().name)
    assert load_libcrypto() is chosen
    assert PrivateKey.generate()._library is chosen
