"""How the members of a group share partitions: session advisory locks, which end with the session however it ends.

A member holds one shared lock for being a member and an exclusive one for each partition it reads. The numbers of a
lock are the group's and the partition's; no partition has the number 0, which is membership.

Who is to read what follows from the list of members alone, and every member works it out for itself: the partitions
are dealt out in order, one to each in turn, so that the partitions of one topic are spread. A member gives up what is
not its own before it takes what is; until all have looked at the same list a partition may lie idle, but never has two
readers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import Connection

_MEMBERSHIP = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What changed: partitions by their row's number."""

    taken: frozenset[int]
    given_up: frozenset[int]


class PartitionLocks:
    """The locks of one member, on a session of its own in autocommit."""

    def __init__(self, conn: Connection, group: int) -> None:
        self._conn = conn
        self._group = group
        self._held: set[int] = set()
        conn.execute("SELECT pg_advisory_lock_shared(%s, %s)", [group, _MEMBERSHIP])

    def share(self, partitions: Sequence[int]) -> Share:
        """Take and give up partitions, so that in the end each member holds its part of ``partitions``."""
        locked = self._locked()
        members = sorted(pid for partition, pid in locked if partition == _MEMBERSHIP)
        mine = set(dealt_out(partitions, len(members), members.index(self._conn.info.backend_pid)))
        given_up = self._held - mine
        for partition in given_up:
            self._conn.execute("SELECT pg_advisory_unlock(%s, %s)", [self._group, partition])
        others = {partition for partition, _ in locked} - self._held
        self._held -= given_up
        taken = {partition for partition in mine - self._held - others if self._try(partition)}
        self._held |= taken
        return Share(frozenset(taken), frozenset(given_up))

    def leave(self) -> None:
        """Free everything at once; closing the session would, but only when the server has noticed."""
        self._held.clear()
        self._conn.execute("SELECT pg_advisory_unlock_all()")

    def _locked(self) -> list[tuple[int, int]]:
        """Partition and session of every lock of the group, those that are waited for left out."""
        return self._conn.execute(
            "SELECT objid::bigint, pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::bigint::oid"
            " AND objsubid = 2 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [self._group],
        ).fetchall()

    def _try(self, partition: int) -> bool:
        row = self._conn.execute("SELECT pg_try_advisory_lock(%s, %s)", [self._group, partition]).fetchone()
        return row is not None and bool(row[0])


def dealt_out(partitions: Sequence[int], members: int, place: int) -> Iterable[int]:
    """The part of the member at ``place`` (from 0) among ``members``; parts differ by one partition at most."""
    return partitions[place::members]
