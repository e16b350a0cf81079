"""Intake: what can be said of a message before its records are decoded — who sends what, and may it be.

Every door leads here: what HTTP refused already cannot come, but a department may produce to the log directly.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from catalog import store as catalog_store
from catalog.dataset import Dataset
from catalog.errors import DatasetNotYours, DatasetUnknown
from hub.errors import BatchOfOtherHub, BatchOfOtherTopic, ContractVersionUnknown, CutAtAhead
from hub.exchange import registry_store, subject_store
from hub.exchange.apply.target import Target
from hub.exchange.framing import FramedRun
from hub.exchange.log import TOPIC_PREFIX, Message, Span
from hub.exchange.signatures import Signatures
from hub.exchange.subject_errors import FramedSchemaUnknown
from schemas.batch import sm3_hex, write_container
from schemas.contract import Contract, parse_contract
from schemas.envelope import HEADER, VERSION, Envelope, parse_envelope
from schemas.errors import EnvelopeMissing, HubError
from schemas.signature import SignatureSlot
from schemas.subject_schema import OPERATIONS, Part, read_subject_schema

CUT_AT_AHEAD_MAX = timedelta(seconds=60)  # DESIGN.md: a version more than 60 s ahead is refused
REMEMBERED_SECONDS = 1.0  # a dataset or a mandate changed by an administrator counts within this time


@dataclass(frozen=True, slots=True)
class Admitted:
    """A message, or a run of single records, with what the registry knows of it, or with why it is refused.

    Args:
        span: where it stands in the log.
        key: of the message; empty for a run.
        envelope: None where whose it is cannot be said.
        envelope_bytes: of the envelope, as they came or as the hub made them.
        container: the container file.
        target: the dataset's tables.
        contract_source: text of the contract's version.
        signature: verified.
        marks: of the records of a run.
        refusal: why it is refused.
    """

    span: Span
    key: str = ""
    envelope: Envelope | None = None
    envelope_bytes: bytes = b""
    container: bytes = b""
    target: Target | None = None
    contract_source: str = ""
    signature: SignatureSlot | None = None
    marks: bytes = b""
    refusal: Mapping[str, Any] | None = None

    @property
    def decodes(self) -> bool:
        """Whether the child has, or is to have, a look at it."""
        return self.refusal is None and self.target is not None

    @property
    def of_run(self) -> bool:
        """Whether the hub made the batch, of single records."""
        return bool(self.marks)


@dataclass(frozen=True, slots=True)
class _Remembered:
    dataset: Dataset | None
    until: float


@dataclass(frozen=True, slots=True)
class _Writer:
    """How records of one schema are read: under which version of the contract, as which record."""

    contract: int
    contract_source: str
    schema: bytes


class Intake:
    """Admits messages; remembers contracts and writers for good (a version never changes) and datasets for a second."""

    def __init__(self, conn: Connection, hub_id: str) -> None:
        self._conn = conn
        self._hub_id = hub_id
        self._signatures = Signatures()
        self._datasets: dict[str, _Remembered] = {}
        self._contracts: dict[tuple[str, int], tuple[Contract, str]] = {}
        self._writers: dict[tuple[str, Part, int], _Writer] = {}

    def admit(self, message: Message) -> Admitted:
        """Parse the envelope and look up whom and what it names; never raises for what a stranger wrote."""
        header = message.headers.get(HEADER, b"")
        found = Admitted(message.span, message.key, envelope_bytes=header, container=message.value or b"")
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
            return replace(found, envelope=known, refusal=refusal.to_json())
        return replace(found, envelope=envelope, target=target, contract_source=source, signature=signature)

    def admit_run(self, run: FramedRun) -> Admitted:
        """Make a batch of single records, of the organization whose topic they stand in; never raises, either.

        The broker vouches for the topic alone: only its owner and the hub may write to it.
        """
        found = Admitted(run.span, marks=run.marks)
        dataset = self._dataset(run.span.topic.removeprefix(TOPIC_PREFIX))
        if dataset is None:
            return replace(found, refusal=DatasetUnknown(dataset=run.span.topic[:100]).to_json())
        try:
            writer = self._writer(dataset, run)
            container = write_container(writer.schema, len(run.bodies), tuple(run.bodies))
            envelope = self._envelope_of(dataset, run, writer.contract, container)
            self._signatures.check(self._conn, envelope, {}, run.cut_at)
        except HubError as refusal:
            envelope = self._envelope_of(dataset, run, dataset.contract_version, b"".join(run.bodies))
            return replace(found, envelope=envelope, refusal=refusal.to_json())
        return replace(
            found,
            envelope=envelope,
            envelope_bytes=envelope.to_bytes(),
            container=container,
            target=self.target(dataset.id),
            contract_source=writer.contract_source,
        )

    def _writer(self, dataset: Dataset, run: FramedRun) -> _Writer:
        if run.refusal is not None:
            raise run.refusal
        key = (dataset.id, run.part, run.schema)
        if key not in self._writers:
            found = subject_store.writer_of(self._conn, *key)
            if found is None:
                raise FramedSchemaUnknown(schema=run.schema, part=run.part)
            contract, source = self._contract(dataset.contract, found.contract)
            schema = read_subject_schema(found.source).as_record(contract, run.part)
            self._writers[key] = _Writer(found.contract, source, json.dumps(schema).encode())
        return self._writers[key]

    def _envelope_of(self, dataset: Dataset, run: FramedRun, contract: int, container: bytes) -> Envelope:
        """What a department's connector would have said of the same records."""
        return Envelope(
            v=VERSION,
            hub=self._hub_id,
            dataset=dataset.id,
            contract=contract,
            organization=dataset.organization,
            sender=dataset.organization,
            batch=run.batch,
            run=run.stream,
            cut_at=run.cut_at,
            operation=OPERATIONS[run.part],
            records=len(run.bodies),
            first_row=run.span.first,
            bytes=len(container),
            sm3=sm3_hex(container),
            keys=None,
        )

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
