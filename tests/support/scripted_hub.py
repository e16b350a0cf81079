"""A hub that answers as it is told, for connectors: over httpx's mock transport, without a socket."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from contract_maker import contract_text

from connectors.progress import Silent
from connectors.report import Report
from connectors.session import opened_session
from schemas.batch import Limits, verify, walk
from schemas.contract import parse_contract
from schemas.envelope import Envelope, parse_envelope
from schemas.frame import decode

CONTRACT = contract_text(
    {"code": "string", "name": "string", "day": {"type": "int", "logicalType": "date"}, "amount": "double"}
)
Script = Callable[[int, Envelope], httpx.Response | Exception | None]


@dataclass
class ScriptedHub:
    """Takes every batch, but for what ``script`` answers instead: it is given the number of the request, from 1."""

    script: Script = lambda _number, _envelope: None
    contract: str = CONTRACT
    receipt_status: str = "accepted"
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    handed_in: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    taken: dict[str, tuple[Envelope, bytes]] = field(default_factory=dict[str, tuple[Envelope, bytes]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
            return self._answer(request)

    @property
    def records(self) -> int:
        return sum(envelope.records for envelope, _ in self.taken.values())

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            return self._take(request)
        if path.startswith("/v1/contracts/"):
            if request.headers.get("if-none-match") == '"one"':
                return httpx.Response(304)
            return httpx.Response(200, text=self.contract, headers={"etag": '"one"'})
        if path.startswith("/v1/exchange/receipts/"):
            return self._receipt(path.rsplit("/", 1)[-1])
        contract = {"name": "simple", "version": 1}
        return httpx.Response(200, json={"hub": "420000", "organization": "gong-an", "contract": contract})

    def _take(self, request: httpx.Request) -> httpx.Response:
        text = request.headers["hub-batch"]
        envelope = parse_envelope(text.encode())
        verify(envelope, request.content)
        self.handed_in.append((text, request.content))
        told = self.script(len(self.handed_in), envelope)
        if isinstance(told, TakenSilently):
            self.taken[envelope.batch] = (envelope, request.content)
            raise httpx.ReadTimeout("told to", request=request)
        if isinstance(told, Exception):
            raise told
        if told is not None:
            return told
        self.taken[envelope.batch] = (envelope, request.content)
        return httpx.Response(202, json={"batch": envelope.batch})

    def _receipt(self, batch: str) -> httpx.Response:
        if batch not in self.taken:
            return httpx.Response(404, json={"detail": "none yet"})
        records = self.taken[batch][0].records
        body = {"batch": batch, "status": self.receipt_status, "received": records, "accepted": records, "reasons": {}}
        if self.receipt_status == "refused":
            body["refusal"] = {"code": "x", "zh": "不收", "en": "not taken"}
        return httpx.Response(200, json=body)


class TakenSilently(Exception):
    """The hub took the batch, and its answer was lost."""


def problem(status: int, detail: str = "no", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": detail, "code": "x"}, headers=headers)


@dataclass
class Workplace:
    """A folder with a connector of the files kind."""

    folder: Path

    def __post_init__(self) -> None:
        self.inbox.mkdir(exist_ok=True)
        (self.folder / "token").write_text("secret")
        self.configure()

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def file(self) -> Path:
        return self.folder / "connector.yaml"

    @property
    def outbox(self) -> Path:
        return self.folder / ".connector.yaml.state" / "outbox"

    def configure(self, **changes: Any) -> None:
        members: dict[str, Any] = {
            "dataset": "420000.simple",
            "hub": "http://hub.invalid",
            "token": {"file": "token"},
            "source": {"kind": "files", "inbox": "inbox", "settle_seconds": 0},
            "batch": {"records": 10},
        }
        # JSON is YAML.
        self.file.write_text(json.dumps(members | changes, ensure_ascii=False), encoding="utf-8")

    def rows(self, name: str, count: int, start: int = 0) -> Path:
        lines = [f"{number:06},n{number},2026-01-02,{number}.5" for number in range(start, start + count)]
        file = self.inbox / name
        file.write_text("code,name,day,amount\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return file

    def run(self, hub: ScriptedHub, *, retry_seconds: float | None = 5, wait_seconds: float = 1) -> list[Report]:
        with opened_session(
            self.file, Silent(), threading.Event(), retry_seconds, wait_seconds, transport=hub.transport()
        ) as session:
            return list(session.run())

    def report(self, name: str, outcome: str = "done") -> dict[str, Any]:
        return json.loads((self.inbox / outcome / f"{name}.report.json").read_text(encoding="utf-8"))


def codes(hub: ScriptedHub) -> list[str]:
    """The keys of all records the hub took, in the order of their row numbers."""
    contract = parse_contract(hub.contract)
    frames = [
        decode(contract, walk(container, Limits()), "upsert").frame
        for _, container in sorted(hub.taken.values(), key=lambda pair: pair[0].first_row)
    ]
    return pl.concat(frames)["code"].to_list() if frames else []


class Killed(BaseException):
    """The process is gone, at this very place."""


def killed_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Raise ``Killed`` at the n-th call, before it does anything."""
    calls = 0
    real = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, counted)
