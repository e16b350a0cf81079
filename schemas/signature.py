"""The bytes of a batch that are signed, and where the signature stands. Signing itself: ``schemas.national.sm2``.

Signed is the envelope's canonical text, byte for byte as it travels, so that anyone can verify the header or the
file ``<container>.batch.json`` with a command line: SM2 with SM3, identifier 1234567812345678, DER (GM/T 0009).
No prefix is needed to keep it apart from the other things an organization signs: an envelope begins with
``{"batch":``, which nothing else does, and it names its audience and its version.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from schemas.envelope import Envelope
from schemas.errors import SignatureMalformed

HEADER: Final = "hub-signature"
DISTINGUISHING_ID: Final = b"1234567812345678"  # OpenSSL before 4.0 signs with an empty one unless told
SIGNATURE_BYTES_MAX: Final = 72  # SEQUENCE of two INTEGERs of at most 33 bytes
_SLOT = re.compile(r"(?P<key_id>[a-z][a-z0-9-]{0,63}):(?P<der>[A-Za-z0-9+/]{8,96}={0,2})")


def signing_input(envelope: Envelope) -> bytes:
    """The bytes under the signature."""
    return envelope.to_bytes()


@dataclass(frozen=True, slots=True)
class SignatureSlot:
    """The header ``hub-signature``: ``<key id>:<base64 of the DER signature>``.

    Args:
        key_id: which of the sender's keys.
        der: SEQUENCE { r INTEGER, s INTEGER }.
    """

    key_id: str
    der: bytes

    def to_header(self) -> str:
        """The header's text."""
        return f"{self.key_id}:{base64.b64encode(self.der).decode('ascii')}"

    @classmethod
    def from_header(cls, text: str) -> "SignatureSlot":
        """The inverse of ``to_header``.

        Raises:
            SignatureMalformed: there is no signature in it; whether it is a right one is not looked at.
        """
        found = _SLOT.fullmatch(text)
        if found is None:
            raise SignatureMalformed(problem_zh="应为 <密钥标识>:<base64>", problem_en="it must be <key id>:<base64>")
        try:
            der = base64.b64decode(found["der"], validate=True)
        except binascii.Error:
            raise SignatureMalformed(problem_zh="base64 有误", problem_en="its base64 is wrong") from None
        slot = cls(found["key_id"], der)
        if slot.to_header() != text or not is_canonical_der(der):
            raise SignatureMalformed(
                problem_zh="应为 DER 编码的两个整数", problem_en="it must be two integers in canonical DER"
            )
        return slot


def is_canonical_der(der: bytes) -> bool:
    """Whether these bytes are a signature's one form: a SEQUENCE of two positive INTEGERs, each minimally written."""
    if not 8 <= len(der) <= SIGNATURE_BYTES_MAX or der[0] != 0x30 or der[1] != len(der) - 2:  # noqa: PLR2004 - DER's own tags and the shortest possible pair
        return False
    following = _after_integer(der, 2)
    return following is not None and _after_integer(der, following) == len(der)


def _after_integer(der: bytes, at: int) -> int | None:
    """Where the positive, minimally written INTEGER at ``at`` ends; None when there is none."""
    if at + 2 >= len(der) or der[at] != 0x02:  # noqa: PLR2004 - the tag of INTEGER
        return None
    length, first = der[at + 1], der[at + 2]
    end = at + 2 + length
    if not 1 <= length <= 33 or end > len(der) or first >= 0x80:  # noqa: PLR2004 - 32 bytes and a sign byte
        return None
    if first == 0 and (length == 1 or der[at + 3] < 0x80):  # noqa: PLR2004 - zero, or a needless leading zero
        return None
    return end
