"""A connector at work: configuration, source, state and the hub's door, opened together and closed together."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from connectors.client import Door, Patience, Standing, http_client
from connectors.config import Connector, ConnectorConfig, read_connector
from connectors.contracts import contract_of
from connectors.errors import Interrupted
from connectors.outbox import Outbox
from connectors.port import Source
from connectors.progress import Watcher
from connectors.report import Report
from connectors.runner import Job, run_once
from connectors.signing import signing_of
from connectors.sources.catalog import open_source
from connectors.state import State, opened_state
from connectors.terminal import language
from schemas.contract import Contract


@dataclass
class Session:
    """What stays open between two looks at the source."""

    connector: Connector
    source: Source
    state: State
    door: Door
    patience: Patience
    watcher: Watcher
    receipt_seconds_max: float
    confirm_keys: bool
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _contracts: dict[int, Contract] = field(default_factory=dict[int, Contract])

    @property
    def config(self) -> ConnectorConfig:
        """The connector's configuration."""
        return self.connector.config

    @property
    def stopping(self) -> threading.Event:
        """Set when the connector is to end."""
        return self.patience.stopping

    def waiting(self) -> int:
        """Batches that are not acknowledged."""
        return len(self.state.waiting())

    def run(self) -> Iterator[Report]:
        """Work on everything the source has now."""
        try:
            standing = self.patience.ask(lambda: self.door.standing(self.config.dataset))
            yield from run_once(self._job(standing))
        except Interrupted:
            raise Interrupted(self.waiting()) from None

    def _job(self, standing: Standing) -> Job:
        return Job(
            config=self.config,
            standing=standing,
            contract_of=lambda version: self._contract(standing, version),
            source=self.source,
            state=self.state,
            outbox=Outbox(self.state.folder / "outbox"),
            door=self.door,
            patience=self.patience,
            watcher=self.watcher,
            clock=self.clock,
            receipt_seconds_max=self.receipt_seconds_max,
            confirm_keys=self.confirm_keys,
        )

    def _contract(self, standing: Standing, version: int) -> Contract:
        if version not in self._contracts:
            folder = self.state.folder / "contracts"
            self._contracts[version] = self.patience.ask(
                lambda: contract_of(self.door, folder, standing.contract, version)
            )
        return self._contracts[version]


@contextmanager
def opened_session(
    file: Path,
    watcher: Watcher,
    stopping: threading.Event,
    retry_seconds_max: float | None,
    receipt_seconds_max: float,
    *,
    confirm_keys: bool = False,
    transport: httpx.BaseTransport | None = None,
) -> Generator[Session]:
    """A connector, ready to run.

    Args:
        file: its YAML file.
        watcher: told how far it is.
        stopping: set when it is to end.
        retry_seconds_max: how long a request is repeated; None without end.
        receipt_seconds_max: how long to wait after the last receipt that came.
        confirm_keys: a key list may close much.
        transport: of the HTTP client, for tests.

    Raises:
        ConfigError, TokenMissing, SigningKeyUnusable, SigningKeyOpen, StateBusy: it cannot begin.
    """
    connector = read_connector(file)
    config = connector.config
    token = connector.token()
    signing = signing_of(connector)
    source = open_source(config.source, connector.folder, file.name)
    patience = Patience(config.hub, retry_seconds_max, stopping, lambda problem, pause: _tell(watcher, problem, pause))
    try:
        with (
            opened_state(connector.state_folder) as state,
            http_client(config.hub, token, language(), transport) as http,
        ):
            door = Door(http, None if signing is None else signing.header)
            yield Session(connector, source, state, door, patience, watcher, receipt_seconds_max, confirm_keys)
    finally:
        source.close()


def _tell(watcher: Watcher, problem: str, pause: float) -> None:
    watcher.note(
        f"枢纽暂时无法完成请求({problem}),{pause:.1f} 秒后重试;未确认的批次都在发件箱中。",
        f"the hub cannot complete the request now ({problem}); again in {pause:.1f} s. Nothing is lost.",
    )
