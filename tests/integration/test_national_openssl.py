"""OpenSSL's command line, which anyone has, agrees with the hub both ways."""

import subprocess
from pathlib import Path

import pytest

from schemas.national.sm2 import PrivateKey, PublicKey

ID = "distid:1234567812345678"


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)  # noqa: S607 - the machine's own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message").write_bytes(b'{"batch":"0199"}' * 20)
    return tmp_path


def test_openssl_verifies_what_the_hub_signs(folder: Path):
    key = PrivateKey.generate()
    message, signature, public = folder / "message", folder / "signature", folder / "public.pem"
    public.write_text(key.public.to_pem(), encoding="ascii")
    verify = ("dgst", "-sm3", "-verify", str(public), "-signature", str(signature))
    for _ in range(20):
        signature.write_bytes(key.sign(message.read_bytes()))
        assert openssl(*verify, "-sigopt", ID, str(message)).stdout == "Verified OK\n"
    assert openssl(*verify, "-sigopt", "distid:someone", str(message)).returncode != 0
    message.write_bytes(b"other")
    assert openssl(*verify, "-sigopt", ID, str(message)).returncode != 0


def test_the_hub_verifies_what_openssl_signs(folder: Path):
    private, public, signature = folder / "private.pem", folder / "public.pem", folder / "signature"
    assert openssl("genpkey", "-algorithm", "SM2", "-out", str(private)).returncode == 0
    assert openssl("pkey", "-in", str(private), "-pubout", "-out", str(public)).returncode == 0
    key = PublicKey.from_pem(public.read_text(encoding="ascii"))
    message = (folder / "message").read_bytes()
    sign = ("dgst", "-sm3", "-sign", str(private), "-out", str(signature))
    for _ in range(20):
        assert openssl(*sign, "-sigopt", ID, str(folder / "message")).returncode == 0
        assert key.verify(message, signature.read_bytes())
    assert openssl(*sign, "-sigopt", "distid:someone", str(folder / "message")).returncode == 0
    assert not key.verify(message, signature.read_bytes())


def test_keys_travel_both_ways(folder: Path):
    private, public = folder / "private.pem", folder / "public.pem"
    assert openssl("genpkey", "-algorithm", "SM2", "-out", str(private)).returncode == 0
    theirs = PrivateKey.from_pem(private.read_text(encoding="ascii"))
    shown = openssl("pkey", "-in", str(private), "-pubout").stdout
    assert shown == theirs.public.to_pem()
    private.write_text(PrivateKey.generate().to_pem(), encoding="ascii")
    ours = openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    assert ours.returncode == 0, ours.stderr
    mine = PrivateKey.from_pem(private.read_text(encoding="ascii"))
    assert public.read_text(encoding="ascii") == mine.public.to_pem()


def test_a_key_of_another_curve_is_refused(folder: Path):
    from schemas.national.errors import KeyUnreadable

    private = folder / "private.pem"
    made = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(private))
    assert made.returncode == 0
    with pytest.raises(KeyUnreadable):
        PrivateKey.from_pem(private.read_text(encoding="ascii"))
    with pytest.raises(KeyUnreadable):
        PublicKey.from_pem(openssl("pkey", "-in", str(private), "-pubout").stdout)
