"""The hub's own keys: made once, the same for ever, and only where nobody else can read them."""

import stat
from pathlib import Path

import pytest

from hub.keys import Keys
from hub.keys_errors import KeyFileMissing, KeyFileOpen, KeyFileUnreadable, KeyNameWrong
from schemas.national.provider import SoftwareProvider
from schemas.national.sm2 import PublicKey

PROVIDER = SoftwareProvider()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys"


def keys_in(folder: Path) -> Keys:
    return Keys(folder, PROVIDER)


def test_keys_are_made_once_and_are_the_same_afterwards(folder: Path):
    first = keys_in(folder)
    derived, public = first.derive("cursor"), first.signer("ledger").public_pem
    again = keys_in(folder)
    assert again.derive("cursor") == derived
    assert again.signer("ledger").public_pem == public
    assert len(derived) == 32
    assert again.derive("cursor", 16) == derived[:16]


def test_purposes_and_names_have_keys_of_their_own(folder: Path):
    keys = keys_in(folder)
    assert len({keys.derive(purpose) for purpose in ("cursor", "pseudonym", "cursor:1")}) == 3
    assert len({keys.signer(name).public_pem for name in ("ledger", "witness-a", "witness-b")}) == 3
    assert keys.signer("ledger") is keys.signer("ledger")
    assert keys_in(folder.with_name("other")).derive("cursor") != keys.derive("cursor")


def test_a_signer_signs_as_its_public_key_says(folder: Path):
    signer = keys_in(folder).signer("ledger")
    assert PublicKey.from_pem(signer.public_pem).verify(b"head", signer.sign(b"head"))


def test_everything_is_for_the_owner_alone(folder: Path):
    keys_in(folder).signer("ledger")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"keys": 0o700, "root": 0o600, "ledger.pem": 0o600}


def test_a_root_that_is_gone_is_not_made_again(folder: Path):
    keys_in(folder).signer("ledger")
    (folder / "root").unlink()
    with pytest.raises(KeyFileMissing) as refused:
        keys_in(folder)
    assert "root" in refused.value.sentence("zh")
    assert not (folder / "root").exists()


def test_what_a_killed_process_left_half_made_is_no_key(folder: Path):
    folder.mkdir(parents=True, mode=0o700)
    (folder / "root.0011223344556677.part").touch(0o600)
    keys_in(folder)
    assert (folder / "root").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(folder: Path, mode: int):
    keys_in(folder).signer("ledger")
    (folder / "ledger.pem").chmod(mode)
    with pytest.raises(KeyFileOpen):
        keys_in(folder).signer("ledger")
    (folder / "root").chmod(mode)
    with pytest.raises(KeyFileOpen) as refused:
        keys_in(folder)
    assert f"{mode:04o}" in refused.value.sentence("en")


def test_a_folder_that_others_may_enter_is_refused(folder: Path):
    folder.mkdir(parents=True, mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(KeyFileOpen):
        keys_in(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"zz" * 32 + b"\n", b"\xff" * 32, b"0" * 9_000])
def test_a_root_that_is_no_root_is_refused(folder: Path, content: bytes):
    keys_in(folder)
    (folder / "root").write_bytes(content)
    with pytest.raises(KeyFileUnreadable):
        keys_in(folder)


def test_a_link_to_another_file_is_no_key(folder: Path, tmp_path: Path):
    keys_in(folder)
    (folder / "root").rename(tmp_path / "elsewhere")
    (folder / "root").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileUnreadable):
        keys_in(folder)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "keys").touch(0o600)
    with pytest.raises(KeyFileUnreadable):
        keys_in(tmp_path / "keys")


def test_a_signing_key_that_is_none_is_refused_and_nothing_of_it_is_said(folder: Path):
    keys = keys_in(folder)
    (folder / "ledger.pem").write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    (folder / "ledger.pem").chmod(0o600)
    with pytest.raises(KeyFileUnreadable) as refused:
        keys.signer("ledger")
    assert "c2VjcmV0" not in refused.value.sentence("en")


@pytest.mark.parametrize("name", ["", "Ledger", "../root", "a/b", "root.x", "a" * 65, "1a"])
def test_a_name_that_could_leave_the_folder_is_refused(folder: Path, name: str):
    with pytest.raises(KeyNameWrong):
        keys_in(folder).signer(name)


def test_a_key_needs_a_purpose(folder: Path):
    with pytest.raises(KeyNameWrong):
        keys_in(folder).derive("")


def test_keys_show_themselves_nowhere(folder: Path):
    keys = keys_in(folder)
    root = (folder / "root").read_text().strip()
    assert root not in repr(keys)
    assert root not in repr(keys.signer("ledger"))
