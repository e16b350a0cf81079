"""Intake: what can be said of a message before its records are decoded — who sends what, and may it be.

Every door leads here: what HTTP refused already cannot come, but a department may produce to the log directly.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from catalog import store as catalog_store
from catalog.dataset import Dataset
from catalog.errors import DatasetNotYours, DatasetUnknown
from hub.errors import BatchOfOtherHub, BatchOfOtherTopic, ContractVersionUnknown, CutAtAhead
from hub.exchange import registry_store
from hub.exchange.apply.target import Target
from hub.exchange.log import TOPIC_PREFIX, Message
from hub.exchange.signatures import Signatures
from schemas.contract import Contract, parse_contract
from schemas.envelope import Envelope, parse_envelope
from schemas.errors import EnvelopeMissing, HubError
from schemas.signature import SignatureSlot

HEADER = "hub-batch"
CUT_AT_AHEAD_MAX = timedelta(seconds=60)  # DESIGN.md: a version more than 60 s ahead is refused
REMEMBERED_SECONDS = 1.0  # a dataset or a mandate changed by an administrator counts within this time


@dataclass(frozen=True, slots=True)
class Admitted:
    """A message with what the registry knows of it, or with why it is refused."""

    envelope: Envelope | None = None
    envelope_bytes: bytes = b""
    target: Target | None = None
    contract_source: str = ""
    signature: SignatureSlot | None = None
    refusal: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Remembered:
    dataset: Dataset | None
    until: float


class Intake:
    """Admits messages; remembers contracts for good (a version never changes) and datasets for a second."""

    def __init__(self, conn: Connection, hub_id: str) -> None:
        self._conn = conn
        self._hub_id = hub_id
        self._signatures = Signatures()
        self._datasets: dict[str, _Remembered] = {}
        self._contracts: dict[tuple[str, int], tuple[Contract, str]] = {}

    def admit(self, message: Message) -> Admitted:
        """Parse the envelope and look up whom and what it names; never raises for what a stranger wrote."""
        header = message.headers.get(HEADER, b"")
        envelope: Envelope | None = None
        try:
            if not header:
                raise EnvelopeMissing
            envelope = parse_envelope(header)
            dataset = self._check(message, envelope)
            signature = self._signatures.check(self._conn, envelope, message.headers, message.appended_at)
            _, source = self._contract(dataset.contract, envelope.contract)
            target = self.target(dataset.id)
        except HubError as refusal:
            known = envelope if envelope is not None and self._has_owner(envelope) else None
            return Admitted(envelope=known, envelope_bytes=header, refusal=refusal.to_json())
        return Admitted(envelope, header, target, source, signature)

    def target(self, dataset: str) -> Target | None:
        """The dataset's tables as the newest version of its contract made them; None for an unknown dataset."""
        found = self._dataset(dataset)
        if found is None:
            return None
        contract, _ = self._contract(found.contract, found.contract_version)
        return Target(dataset, contract)

    def _check(self, message: Message, envelope: Envelope) -> Dataset:
        if envelope.hub != self._hub_id:
            raise BatchOfOtherHub(audience=envelope.hub, hub=self._hub_id)
        if message.topic != TOPIC_PREFIX + envelope.dataset:
            raise BatchOfOtherTopic(dataset=envelope.dataset, topic=message.topic)
        dataset = self._dataset(envelope.dataset)
        if dataset is None:
            raise DatasetUnknown(dataset=envelope.dataset)
        if dataset.organization != envelope.organization:
            raise DatasetNotYours(dataset=envelope.dataset, organization=envelope.organization)
        if envelope.sender != envelope.organization and not catalog_store.has_mandate(
            self._conn, envelope.sender, envelope.organization, envelope.dataset
        ):
            raise DatasetNotYours(dataset=envelope.dataset, organization=envelope.sender)
        if envelope.contract > dataset.contract_version:
            raise ContractVersionUnknown(contract=dataset.contract, version=envelope.contract)
        if envelope.cut_at > datetime.now(UTC) + CUT_AT_AHEAD_MAX:
            raise CutAtAhead(seconds=int(CUT_AT_AHEAD_MAX.total_seconds()))
        return dataset

    def _has_owner(self, envelope: Envelope) -> bool:
        """Whether a refused batch can have a receipt: its organization is one the hub knows."""
        return catalog_store.find_organization(self._conn, envelope.organization) is not None

    def _dataset(self, dataset: str) -> Dataset | None:
        remembered = self._datasets.get(dataset)
        if remembered is None or remembered.until < time.monotonic():
            found = catalog_store.find_dataset(self._conn, dataset)
            remembered = _Remembered(found, time.monotonic() + REMEMBERED_SECONDS)
            self._datasets[dataset] = remembered
        return remembered.dataset

    def _contract(self, name: str, version: int) -> tuple[Contract, str]:
        if (name, version) not in self._contracts:
            source = registry_store.contract_source(self._conn, name, version)
            if source is None:
                raise ContractVersionUnknown(contract=name, version=version)
            self._contracts[name, version] = (parse_contract(source), source)
        return self._contracts[name, version]
