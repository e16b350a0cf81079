"""A running HTTP door over a database of the test's own, and a worker beside it where a test wants receipts."""

import ssl
import tempfile
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import running_stack
import uvicorn

from catalog.organization import Organization
from catalog.store import add_mandate, add_organization
from hub.api.serve import opened_parts, server_of
from hub.exchange.registry_store import register_contract, register_dataset
from hub.identity.organization_tokens import issue
from hub.listening import bound_socket, listening_at
from hub.main import ready_topic
from hub.main_processes import run_worker
from hub.settings import Settings
from hub.store.connect import connect
from schemas.batch import sm3_hex, uuid7
from schemas.contract import Contract, load_shipped
from schemas.envelope import VERSION, Envelope

ORGANIZATIONS = (
    Organization("gong-an", "公安厅", "Public Security", "province", "420000"),
    Organization("min-zheng", "民政厅", "Civil Affairs", "province", "420000"),
    Organization("wu-han", "武汉市枢纽", "City hub of Wuhan", "city", "420100"),
)
OURS, FOREIGN = "420000.division", "420000.place"


@cache
def plain_context() -> ssl.SSLContext:
    """Made once: httpx reads every certificate authority for each client otherwise, 30 ms, and all of this is http."""
    return ssl.create_default_context()


@dataclass
class RunningDoor:
    """The door as its callers see it. gong-an owns OURS, min-zheng FOREIGN; wu-han may hand in OURS."""

    url: str
    database_url: str
    settings: Settings
    contract: Contract
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, organization: str | None = "gong-an", **headers: str) -> httpx.Client:
        """A client with an organization's token, or none."""
        if organization is not None:
            headers = {"authorization": f"Bearer {self.tokens[organization]}", **headers}
        return httpx.Client(
            base_url=self.url, headers={"accept-language": "en", **headers}, timeout=60, verify=plain_context()
        )

    def envelope(self, container: bytes, records: int, **changes: Any) -> Envelope:
        """A right envelope for a container, but for what is to be wrong about it."""
        now = datetime.now(UTC)
        members: dict[str, Any] = {
            "v": VERSION,
            "hub": "420000",
            "dataset": OURS,
            "contract": 1,
            "organization": "gong-an",
            "sender": "gong-an",
            "batch": uuid7(now),
            "run": uuid7(now),
            "cut_at": now,
            "operation": "upsert",
            "records": records,
            "first_row": 0,
            "bytes": len(container),
            "sm3": sm3_hex(container),
            "keys": None,
        }
        return Envelope(**(members | changes))

    @contextmanager
    def worker(self) -> Generator[None]:
        """A worker, while the block runs."""
        stopping = threading.Event()
        settings = self.settings.model_copy(update={"database_url": self.database_url})
        thread = threading.Thread(target=run_worker, args=(settings, lambda _: None, stopping.is_set))
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(30)


@contextmanager
def running(database_url: str, **changes: object) -> Generator[RunningDoor]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-door-")))
        log = stack.enter_context(running_stack.log_settings())
        given = {"database_url": database_url, "port": 0, "data_folder": folder, **log, **changes}
        settings = Settings(**given)  # pyright: ignore[reportArgumentType]  # names of settings
        listening = stack.enter_context(bound_socket(settings))
        parts = stack.enter_context(opened_parts(listening_at(settings, listening), database_url))
        server = server_of(parts)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            _wait_until_started(server, thread)
            host, port = listening.getsockname()[:2]
            contracts = {contract.name: contract for contract in load_shipped()}
            yield RunningDoor(f"http://{host}:{port}", database_url, settings, contracts["division"])
        finally:
            server.should_exit = True
            thread.join(20)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    waited = threading.Event()
    for _ in range(500):
        if server.started:
            return
        assert thread.is_alive()
        waited.wait(0.02)
    raise AssertionError("the door did not start")


def populate(door: RunningDoor) -> None:
    """Three organizations, two datasets, one mandate."""
    with connect(door.database_url, "test") as conn:
        for organization in ORGANIZATIONS:
            add_organization(conn, organization)
            door.tokens[organization.id] = issue(conn, organization.id, datetime.now(UTC)).token
        for contract in load_shipped():
            if contract.name in {"division", "place"}:
                register_contract(conn, contract.source)
        register_dataset(conn, OURS, "division", "gong-an")
        register_dataset(conn, FOREIGN, "place", "min-zheng")
        add_mandate(conn, "wu-han", "gong-an", OURS, "test")
    for dataset in (OURS, FOREIGN):
        ready_topic(door.settings, f"exchange.{dataset}", lambda _: None)
