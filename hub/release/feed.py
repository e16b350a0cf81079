"""The changes feed as its readers have it: decided anew at each page, with a sealed cursor that keeps for a year.

A cursor knows the terms it was made under: fields, treatments, rows. Where they are others now, the page says so: what
the reader holds was given under the old ones, and to have all of it under the new ones it exports the dataset again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import Connection, OperationalError

from catalog.caller import Caller
from catalog.decision import Asked
from hub.exchange.erasure_keys import ErasureKeys, erasure_keys_of
from hub.ledger.leaf import Leaf
from hub.release.changes import ChangesPage, Reached, read_changes, settled
from hub.release.cursor import Cursors, Place
from hub.release.erased import with_erased
from hub.release.errors import CursorWrong
from hub.release.page import instant_text, leaf_of
from hub.release.plan import CIPHER_BYTES, DerivedKeys
from hub.release.trail_store import Trail
from hub.release.whole import Opened, Opener
from schemas.national.provider import CryptoProvider

TERM: Final = timedelta(days=366)
OVERTAKEN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Changes as they leave.

    Args:
        opened: under what.
        changes: a JSON object each.
        after: the cursor that goes on from here.
        settled: the instant the cursor reaches.
        more: whether there is more now.
        other_terms: whether the terms are others than those of the cursor given, or an erasure cannot be told any more.
    """

    opened: Opened
    changes: Sequence[bytes]
    after: str
    settled: datetime
    more: bool
    other_terms: bool

    def body(self) -> bytes:
        """As JSON. The cursor is base64url, the instant a time: nothing in them needs escaping."""
        tail = f'"after":"{self.after}","settled":"{instant_text(self.settled)}","more":{_json(self.more)}'
        tail += f',"other_terms":{_json(self.other_terms)}}}'
        return b'{"changes":[' + b",".join(self.changes) + b"]," + tail.encode()

    def leaf(self, action: str, body: bytes) -> Leaf:
        """Of what is given."""
        return leaf_of(self.opened.caller, self.opened.decided, action, rows=len(self.changes), body=body)

    def trail(self, now: datetime) -> Trail:
        """Beside the leaf."""
        return Trail(
            dataset=self.opened.dataset,
            caller=self.opened.caller.id,
            organization=self.opened.caller.organization,
            allowed=True,
            decision=self.opened.decided.sm3,
            at=now,
            instant=self.settled,
            rows=len(self.changes),
            decided_us=self.opened.decided.took_us,
        )


@dataclass(frozen=True, slots=True)
class Whose:
    """Who reads what, and how: what a cursor is bound to.

    Args:
        caller: who.
        dataset: id.
        asked: purpose and grant; the method is ``subscription``.
        reader: of several feeds of one caller and dataset; the subscription's id, or nothing.
    """

    caller: Caller
    dataset: str
    asked: Asked
    reader: str = ""


class Feed:
    """Reads changes. Threads may share it."""

    def __init__(self, opener: Opener, cursors: Cursors, erasures: ErasureKeys) -> None:
        """Put together; the cursors' term is ``TERM``."""
        self.opener = opener
        self._cursors = cursors
        self._erasures = erasures

    def cursor_at(self, whose: Whose, reached: Reached, terms: str, now: datetime) -> str:
        """A cursor that begins after a place."""
        place = Place((terms, *(reached.key or ())), reached.taken, None)
        return self._cursors.seal(place, whose.caller.id, _digest(whose), now)

    def page(
        self,
        conn: Connection,
        whose: Whose,
        after: str | None,
        limit: int,
        now: datetime,
        *,
        through: str | None = None,
    ) -> FeedPage:
        """A page of changes; nothing is counted or written yet.

        Args:
            conn: in autocommit, so that each statement sees what came before it.
            whose: who reads.
            after: the cursor of the page before; None begins now, with an empty page.
            limit: most changes.
            now: the moment.
            through: a cursor not to go beyond, for a page that is told again.

        Raises:
            CursorWrong, DatasetUnknown, ReleaseRefused, LedgerStale, QuotaUsedUp: as they say.
        """
        for _ in range(OVERTAKEN_MAX):
            opened = self.opener.open(conn, whose.caller, whose.dataset, whose.asked, now)
            horizon = Reached(settled(conn))
            if after is None:
                cursor = self.cursor_at(whose, horizon, opened.terms, now)
                return FeedPage(opened, (), cursor, horizon.taken, more=False, other_terms=False)
            reached, terms = self._opened(whose, after, now)
            until = horizon if through is None else self._opened(whose, through, now)[0]
            page = read_changes(conn, opened.compiled, reached, until, limit)
            page = with_erased(conn, page, opened.compiled, self._erasures, reached, limit)
            if page.epoch in (0, opened.decided.epoch):  # 0: nothing was read
                return self._made(whose, opened, page, terms, now)
        raise OperationalError("the policy changes faster than a statement runs")

    def reached(self, whose: Whose, cursor: str, now: datetime) -> datetime:
        """The instant a cursor reaches.

        Raises:
            CursorWrong: as ``page``.
        """
        return self._opened(whose, cursor, now)[0].taken

    def _made(self, whose: Whose, opened: Opened, page: ChangesPage, terms: str, now: datetime) -> FeedPage:
        cursor = self.cursor_at(whose, page.reached, opened.terms, now)
        other_terms = page.missed or terms != opened.terms
        return FeedPage(opened, page.changes, cursor, page.reached.taken, more=page.more, other_terms=other_terms)

    def _opened(self, whose: Whose, cursor: str, now: datetime) -> tuple[Reached, str]:
        place = self._cursors.open(cursor, whose.caller.id, _digest(whose), now)
        if place.instant is None:
            raise CursorWrong
        terms, *key = (text or "" for text in place.values)
        return Reached(place.instant, tuple(key) or None), terms


def feed_of(opener: Opener, keys: DerivedKeys, provider: CryptoProvider) -> Feed:
    """The feed over the hub's keys: every process that reads it opens the cursors of every other."""
    cursors = Cursors(provider, keys.derive("changes-cursor", CIPHER_BYTES), TERM)
    return Feed(opener, cursors, erasure_keys_of(keys, provider))


def _digest(whose: Whose) -> str:
    return hashlib.new("sm3", f"changes\x1f{whose.dataset}\x1f{whose.reader}".encode()).hexdigest()


def _json(value: bool) -> str:
    return "true" if value else "false"
