"""A connector signs what it sends, under the key it has when it sends."""

from pathlib import Path

import httpx
import pytest
from scripted_hub import ScriptedHub, Workplace, problem

from connectors.config import read_connector
from connectors.errors import AccessRefused, ConfigWrong
from connectors.signing import make_signing_key, read_signing_key, signing_of
from connectors.signing_errors import SigningKeyOpen, SigningKeyTaken, SigningKeyUnusable
from schemas.national.sm2 import PrivateKey, PublicKey
from schemas.signature import HEADER, SignatureSlot

SIGNING = {"key_id": "k1", "key_file": "signing.pem"}


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    made = Workplace(tmp_path)
    made.configure(signing=SIGNING)
    return made


@pytest.fixture
def file(workplace: Workplace) -> Path:
    return workplace.file


def posts_to(hub: ScriptedHub) -> list[httpx.Request]:
    return [request for request in hub.requests if request.method == "POST"]


def verified(request: httpx.Request, public: PublicKey) -> bool:
    slot = SignatureSlot.from_header(request.headers[HEADER])
    assert slot.key_id == "k1"
    return public.verify(request.headers["hub-batch"].encode(), slot.der)


def test_every_batch_carries_a_signature_over_its_envelope(workplace: Workplace):
    public = make_signing_key(workplace.folder / "signing.pem")
    hub = ScriptedHub()
    workplace.rows("a.csv", 25)
    workplace.run(hub)
    assert len(posts_to(hub)) == 3
    assert all(verified(request, public) for request in posts_to(hub))


def test_what_was_refused_for_its_signature_waits_and_is_signed_anew(workplace: Workplace):
    key = workplace.folder / "signing.pem"
    make_signing_key(key)
    away = ScriptedHub(script=lambda _number, _envelope: problem(403))
    workplace.rows("a.csv", 5)
    with pytest.raises(AccessRefused):
        workplace.run(away)
    key.unlink()
    present = make_signing_key(key)
    hub = ScriptedHub()
    workplace.run(hub)
    before, after = posts_to(away)[0], posts_to(hub)[0]
    assert before.headers["hub-batch"] == after.headers["hub-batch"]
    assert verified(after, present)
    assert not verified(before, present)


def test_without_signing_nothing_is_signed(workplace: Workplace):
    workplace.configure()
    workplace.rows("a.csv", 5)
    hub = ScriptedHub()
    workplace.run(hub)
    assert posts_to(hub)
    assert [request for request in hub.requests if HEADER in request.headers] == []


# The key's file ------------------------------------------------------------------------------------------------------


def test_a_new_key_is_its_owners_alone_and_is_not_written_over(tmp_path: Path):
    file = tmp_path / "signing.pem"
    public = make_signing_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_signing_key(file).public.spki == public.spki
    before = file.read_bytes()
    with pytest.raises(SigningKeyTaken):
        make_signing_key(file)
    assert file.read_bytes() == before


def test_a_key_others_may_read_is_refused(file: Path):
    make_signing_key(file.parent / "signing.pem")
    (file.parent / "signing.pem").chmod(0o644)
    with pytest.raises(SigningKeyOpen) as refused:
        signing_of(read_connector(file))
    assert "0644" in refused.value.sentence("zh")


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"no key", PrivateKey.generate().public.to_pem().encode()])
def test_a_file_without_a_private_key_is_refused(file: Path, content: bytes | None):
    key = file.parent / "signing.pem"
    if content is not None:
        key.touch(0o600)
        key.write_bytes(content)
    with pytest.raises(SigningKeyUnusable):
        signing_of(read_connector(file))


def test_a_key_cannot_be_made_where_there_is_no_folder(tmp_path: Path):
    with pytest.raises(SigningKeyUnusable):
        make_signing_key(tmp_path / "absent" / "signing.pem")


@pytest.mark.parametrize(
    ("signing", "place"),
    [
        ({"key_id": "K1", "key_file": "f"}, "signing.key_id"),
        ({"key_id": "k1"}, "signing.key_file"),
        ({"key_id": "k1", "key_fil": "f"}, "signing.key_fil"),
        ("k1", "signing"),
    ],
)
def test_a_wrong_signing_is_told_by_its_place(workplace: Workplace, signing: object, place: str):
    workplace.configure(signing=signing)
    with pytest.raises(ConfigWrong) as refused:
        read_connector(workplace.file)
    assert refused.value.place == place
