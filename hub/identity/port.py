"""The identity port: from a bearer token to who asks. OpenID Connect will stand beside the hub's own tokens here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        organization: on whose behalf.
    """

    organization: str


class Identity(Protocol):
    """Knows callers by their tokens."""

    def caller(self, token: str, now: datetime) -> Caller:
        """Who holds this token at ``now``.

        Raises:
            NotAuthenticated: unknown, expired or revoked; which of them is not told.
        """
        ...
