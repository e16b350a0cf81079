"""Proof Key for Code Exchange (RFC 7636): what a verifier's challenge is, S256 alone."""

import hashlib
from base64 import urlsafe_b64encode


def challenge_of(verifier: str) -> str:
    """The challenge of a verifier (§4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")
