"""What was handed in: the envelope that came with a container file, or the one the door writes."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fastapi import Request

from catalog.dataset import Dataset
from hub.api.body import CONTAINER, NDJSON
from hub.api.conversion import from_json, from_ndjson
from hub.api.dependencies import Parts
from hub.api.errors import BodyTooLarge, EnvelopeRepeated, EnvelopeUnexpected, IdempotencyKeyWrong
from hub.exchange.signature_errors import SignatureUnexpected
from schemas.batch import sm3_hex, uuid7
from schemas.envelope import HEADER, VERSION, Envelope, parse_envelope
from schemas.errors import EnvelopeMissing, SignatureMalformed
from schemas.signature import HEADER as SIGNATURE

IDEMPOTENCY_KEY = "idempotency-key"


def given_envelope(request: Request, media_type: str) -> Envelope | None:
    """The envelope in the request: a container file has one, nothing else may."""
    given = request.headers.getlist(HEADER)
    if media_type != CONTAINER:
        if given:
            raise EnvelopeUnexpected
        return None
    if not given:
        raise EnvelopeMissing
    if len(given) > 1:
        raise EnvelopeRepeated
    return parse_envelope(given[0].encode("latin-1"))


def given_signature(request: Request, given: Envelope | None) -> bytes | None:
    """The header hub-signature, as it came; it goes with an envelope alone.

    Raises:
        SignatureUnexpected: there is no envelope that could have been signed.
        SignatureMalformed: it stands there twice.
    """
    found = request.headers.getlist(SIGNATURE)
    if not found:
        return None
    if given is None:
        raise SignatureUnexpected
    if len(found) > 1:
        raise SignatureMalformed(problem_zh="该头出现了多次", problem_en="the header stands there more than once")
    return found[0].encode("latin-1")


@dataclass(frozen=True, slots=True)
class Handing:
    """One request to hand in a batch, as far as it is known before its body is read."""

    request: Request
    parts: Parts
    sender: str
    dataset: Dataset
    media_type: str
    given: Envelope | None
    signature: bytes | None
    operation: Literal["upsert", "delete"]
    replays: tuple[int, ...] = ()


def batch_of(handing: Handing, body: bytes) -> tuple[Envelope, bytes]:
    """Envelope and container file; of NDJSON and JSON the same body and key make the same digest."""
    if handing.given is not None:
        return handing.given, body
    parts, dataset = handing.parts, handing.dataset
    now = parts.clock()
    batch = _batch_id(handing.request) or uuid7(now)
    convert = from_ndjson if handing.media_type == NDJSON else from_json
    converted = convert(body, parts.door.contract(dataset), handing.operation, parts.settings.batch_records_max)
    bytes_max = int(parts.settings.batch_bytes_max)
    if len(converted.container) > bytes_max:
        raise BodyTooLarge(bytes_max=bytes_max)
    envelope = Envelope(
        v=VERSION,
        hub=parts.settings.hub_id,
        dataset=dataset.id,
        contract=dataset.contract_version,
        organization=dataset.organization,
        sender=handing.sender,
        batch=batch,
        run=uuid7(now),
        cut_at=now,
        operation=handing.operation,
        records=converted.records,
        first_row=0,
        bytes=len(converted.container),
        sm3=sm3_hex(converted.container),
        keys=None,
    )
    return envelope, converted.container


def _batch_id(request: Request) -> str | None:
    given = request.headers.getlist(IDEMPOTENCY_KEY)
    if not given:
        return None
    try:
        (key,) = given
        batch = UUID(key.strip().strip('"'))
    except ValueError:
        raise IdempotencyKeyWrong from None
    if batch.version is None:  # the nil UUID and other variants
        raise IdempotencyKeyWrong
    return str(batch)
