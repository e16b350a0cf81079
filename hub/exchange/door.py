"""The door's core: who may hand in what, what is known already, and the append that makes a batch durable.

A sender here is the id of the organization on whose behalf the caller asks.

A batch may be refused, in this order: the caller (identity), the dataset, the envelope against the request, the bytes
against the envelope, the batch id, the signature. Then it is appended and acknowledged. Records are looked at by the
worker alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from catalog import store as catalog_store
from catalog.dataset import Dataset
from catalog.errors import DatasetUnknown
from hub.errors import BatchOfOtherHub, ContractVersionUnknown, CutAtAhead, EnvelopeDiffers
from hub.exchange import door_store
from hub.exchange.intake import CUT_AT_AHEAD_MAX
from hub.exchange.log import Log
from hub.exchange.log_look import LogLook
from hub.exchange.quarantine import Entry, list_open, name_replay
from hub.exchange.receipt import Receipt, read_receipt
from hub.exchange.registry_store import find_contract
from hub.exchange.signatures import Signatures
from hub.exchange.worker import GROUP
from hub.observations import BatchLogged, observe
from schemas.batch import verify
from schemas.contract import Contract, parse_contract
from schemas.envelope import HEADER, Envelope
from schemas.errors import BatchIdReused, BatchTooLarge
from schemas.signature import HEADER as SIGNATURE

CONTRACTS_MAX = 256


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A batch the hub holds: in the log, or taken long ago."""

    organization: str
    batch: UUID
    receipt: Receipt | None


class Door:
    """Takes batches for the log. Threads may share it."""

    def __init__(self, pool: ConnectionPool, log: Log, hub_id: str, records_max: int) -> None:
        self._pool = pool
        self._log = log
        self._hub_id = hub_id
        self._records_max = records_max
        self._contracts: dict[tuple[str, int], Contract] = {}
        self._signatures = Signatures()
        self._look = LogLook(log)

    def look_at_log(self) -> None:
        """See whether the log answers.

        Raises:
            LogUnavailable: it does not; no batch can be taken.
        """
        self._look.require()

    def dataset(self, sender: str, dataset: str) -> Dataset:
        """A dataset the sender owns or may hand in.

        Raises:
            DatasetUnknown: there is none, or none of theirs; the two look the same.
        """
        with self._pool.connection() as conn:
            return dataset_for(conn, sender, dataset)

    def contract(self, dataset: Dataset) -> Contract:
        """The contract a dataset follows now. A version never changes, so it is parsed once."""
        key = (dataset.contract, dataset.contract_version)
        if key not in self._contracts:
            with self._pool.connection() as conn:
                source = find_contract(conn, *key).source
            if len(self._contracts) >= CONTRACTS_MAX:
                self._contracts.clear()
            self._contracts[key] = parse_contract(source)
        return self._contracts[key]

    def check_envelope(
        self, sender: str, dataset: Dataset, envelope: Envelope, body_bytes: int | None, now: datetime
    ) -> None:
        """The envelope against the request and the registry, before the body is read."""
        if envelope.hub != self._hub_id:
            raise BatchOfOtherHub(audience=envelope.hub, hub=self._hub_id)
        agreements: list[tuple[str, str, str]] = [
            ("dataset", envelope.dataset, dataset.id),
            ("organization", envelope.organization, dataset.organization),
            ("sender", envelope.sender, sender),
        ]
        if body_bytes is not None:
            agreements.append(("bytes", str(envelope.bytes), str(body_bytes)))
        for member, said, found in agreements:
            if said != found:
                raise EnvelopeDiffers(member=member, envelope=said, request=found)
        if not 0 < envelope.contract <= dataset.contract_version:
            raise ContractVersionUnknown(contract=dataset.contract, version=envelope.contract)
        if envelope.records > self._records_max:
            found, maximum = envelope.records, self._records_max
            raise BatchTooLarge(part_zh="记录数", part_en="records", found=found, maximum=maximum)
        if envelope.cut_at > now + CUT_AT_AHEAD_MAX:
            raise CutAtAhead(seconds=int(CUT_AT_AHEAD_MAX.total_seconds()))

    def hand_in(
        self,
        dataset: Dataset,
        envelope: Envelope,
        container: bytes,
        now: datetime,
        signature: bytes | None = None,
        replays: Sequence[int] = (),
    ) -> HandedIn:
        """Make a batch durable; one that came before under its id is not appended again once it has its receipt.

        Args:
            dataset: as ``dataset`` found it.
            envelope: checked against the request.
            container: the container file's bytes.
            now: when it reached the hub.
            signature: header hub-signature, as it came.
            replays: waiting quarantine entries that the batch corrects; they close when it is taken.

        Raises:
            BatchError: the bytes are not what the envelope says.
            BatchIdReused: the id stands for other bytes.
            SignatureMalformed, SignatureError: the signature is wrong, or missing where it must be.
            QuarantineEntryUnknown: a replayed entry is none of this dataset's that waits.
            LogFull, LogUnavailable, OutcomeUnknown: not acknowledged; the same batch may be sent again.
        """
        verify(envelope, container)
        batch = UUID(str(envelope.batch))
        signed = {} if signature is None else {SIGNATURE: signature}
        with self._pool.connection() as conn:
            receipt = read_receipt(conn, envelope.organization, batch)
            if receipt is None:
                self._signatures.check(conn, envelope, signed, now)
        if receipt is not None:
            if receipt.sm3 != envelope.sm3:
                raise BatchIdReused(batch=str(batch))
            return HandedIn(envelope.organization, batch, receipt)
        if replays:
            with self._pool.connection() as conn:
                name_replay(conn, envelope.organization, dataset.id, batch, replays)
        self._log.append(dataset.topic, str(batch), {HEADER: envelope.to_bytes(), **signed}, container)
        observe(
            BatchLogged(
                dataset.id, envelope.organization, str(batch), str(envelope.run), envelope.records, envelope.bytes
            )
        )
        return HandedIn(envelope.organization, batch, None)

    def receipt(self, sender: str, batch: UUID) -> Receipt | None:
        """The receipt of a batch the sender owns or handed in."""
        with self._pool.connection() as conn:
            own = read_receipt(conn, sender, batch)
            if own is not None:
                return own
            for organization in catalog_store.mandators(conn, sender):
                found = read_receipt(conn, organization, batch)
                if found is not None and found.sender == sender:
                    return found
        return None

    def quarantine(self, sender: str, dataset: str, limit: int, after: int) -> list[Entry]:
        """A page of the sender's own waiting records. Under a mandate one hands in, but does not read back."""
        with self._pool.connection() as conn:
            found = dataset_for(conn, sender, dataset)
            if found.organization != sender:
                raise DatasetUnknown(dataset=dataset)
            return list_open(conn, sender, found.id, limit, after)

    def standing(self, sender: str, dataset: str) -> Mapping[str, Any]:
        """How things stand with a dataset, as it is answered."""
        with self._pool.connection() as conn:
            found = dataset_for(conn, sender, dataset)
            now = door_store.standing(conn, found.id)
        if now is None:
            raise DatasetUnknown(dataset=dataset)
        waiting = sum(one.messages for one in self._log.lag(GROUP, found.topic))
        last = {"batch": now.last_batch, "status": now.last_status}
        return {
            "dataset": found.id,
            "hub": self._hub_id,
            "organization": found.organization,
            "base": found.base,
            "title": {"zh": found.title_zh, "en": found.title_en},
            "contract": {"name": found.contract, "version": found.contract_version},
            "records": now.records,
            "tombstones": now.tombstones,
            "history": now.history,
            "batches": now.batches,
            "received": now.received,
            "rejected": now.rejected,
            "quarantine": {"open": now.quarantine_open, "pending": now.quarantine_pending},
            "lag": waiting,
            "last_taken_at": now.last_taken_at.isoformat() if now.last_taken_at else None,
            "last_receipt": last if now.last_batch else None,
        }


def dataset_for(conn: Connection, sender: str, dataset: str) -> Dataset:
    """A dataset that an organization owns or has a mandate for.

    Raises:
        DatasetUnknown: there is none, or none of theirs; the two look the same.
    """
    found = catalog_store.find_dataset(conn, dataset)
    mine = found is not None and found.organization == sender
    # Asked for unknown datasets as well, so that an absent and a foreign one take the same time.
    owner = found.organization if found is not None else ""
    if not mine and not catalog_store.has_mandate(conn, sender, owner, dataset):
        raise DatasetUnknown(dataset=dataset)
    assert found is not None  # noqa: S101 - a mandate references its dataset
    return found
