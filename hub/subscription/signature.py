"""What a pushed delivery is signed with: the hub's SM2 key, over everything a receiver must not be lied to about.

The signed text is five lines in UTF-8, each ended by a line feed: ``hub-push-v1``, the delivery's id, the time
(RFC 3339, UTC), the address it is for, and the SM3 of the body in hexadecimal. A receiver checks the signature with
the key its subscription names, that the address is its own, and that it does not know the delivery's id yet; a time
more than some minutes off is a replay.

============== ====================================================================
header         content
============== ====================================================================
hub-delivery   ``<subscription>:<number>``; a repetition has the same
hub-timestamp  the time
hub-signature  ``sm2=`` and the signature, DER (GM/T 0009), in base64
============== ====================================================================
"""

import base64
from datetime import datetime
from typing import Final

from hub.keys import Signer
from hub.release.page import instant_text
from schemas.batch import sm3_hex

KEY_NAME: Final = "push"
_FIRST_LINE: Final = "hub-push-v1"


def signed_text(delivery: str, timestamp: str, address: str, body: bytes) -> bytes:
    """What is signed."""
    return "".join(f"{line}\n" for line in (_FIRST_LINE, delivery, timestamp, address, sm3_hex(body))).encode()


def signed_headers(signer: Signer, delivery: str, now: datetime, address: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery."""
    timestamp = instant_text(now)
    signature = signer.sign(signed_text(delivery, timestamp, address, body))
    return {
        "Hub-Delivery": delivery,
        "Hub-Timestamp": timestamp,
        "Hub-Signature": "sm2=" + base64.b64encode(signature).decode(),
    }
