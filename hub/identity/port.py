"""The identity port: from a bearer token to who asks. OpenID Connect will stand beside the hub's own tokens here."""

from datetime import datetime
from typing import Protocol

from catalog.caller import Caller


class Identity(Protocol):
    """Knows callers by their tokens."""

    def caller(self, token: str, now: datetime) -> Caller:
        """Who holds this token at ``now``.

        Raises:
            NotAuthenticated: unknown, expired or revoked; which of them is not told.
        """
        ...

    def remembered(self, token: str, now: datetime) -> Caller | None:
        """The same where it is known without asking anyone, and never blocking; None: ask ``caller``."""
        ...

    def look(self) -> None:
        """See whether anything changed, so that ``remembered`` stays true; may block."""
        ...
