"""The hub's public door, as a connector uses it: standing, contract, batches, receipts.

Every answer is one of three: what was asked for; a refusal, with the hub's own sentence; or ``TryAgain``, which says
that the same request may go well later. A batch may be sent any number of times under its id.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx

from connectors.errors import AccessRefused, AnswerStrange, BatchRefused, HubUnreachable, Interrupted
from schemas.errors import Language
from schemas.signature import HEADER as SIGNATURE

TIMEOUT: Final = httpx.Timeout(connect=10, read=60, write=60, pool=60)
PAUSE_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 60.0
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ACCESS: Final = frozenset({401, 403, 404})
_DETAIL_CHARACTERS_MAX: Final = 2_000

Answer = TypeVar("Answer")


class TryAgain(Exception):
    """No answer that counts; the same request may go well later.

    Args:
        problem: what happened, in words without content.
        after_seconds: how long the hub asked to wait.
    """

    def __init__(self, problem: str, after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """What a connector must know of its dataset."""

    hub: str
    dataset: str
    organization: str
    contract: str
    contract_version: int


class Door:
    """One hub's door with one token. Threads may share it; nothing in it waits longer than its timeouts."""

    def __init__(self, http: httpx.Client, signature: Callable[[bytes], str] | None = None) -> None:
        """A door; ``signature`` makes the header hub-signature of an envelope."""
        self._http = http
        self._signature = signature

    def standing(self, dataset: str) -> Standing:
        """How the dataset stands."""
        answer = _members(self._get(f"/v1/exchange/{dataset}"))
        try:
            contract = answer["contract"]
            return Standing(
                str(answer["hub"]),
                dataset,
                str(answer["organization"]),
                str(contract["name"]),
                int(contract["version"]),
            )
        except (KeyError, TypeError, ValueError):
            raise AnswerStrange(str(self._http.base_url), "standing") from None

    def contract(self, name: str, version: int, etag: str | None) -> tuple[str, str] | None:
        """A contract's text and its ETag; None where the one of ``etag`` still holds."""
        headers = {} if etag is None else {"if-none-match": etag}
        answer = self._get(f"/v1/contracts/{name}/{version}", headers)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return None
        return answer.text, answer.headers.get("etag", "")

    def hand_in(self, dataset: str, envelope: bytes, container: bytes, batch: str) -> Mapping[str, Any] | None:
        """Hand in a batch; its receipt where the hub knew it already.

        Raises:
            TryAgain: it is not known whether the hub took it; the same bytes may be sent again.
            BatchRefused: never, as it is.
            AccessRefused: not with this token, or not this dataset.
        """
        headers = {"content-type": "application/avro", "hub-batch": envelope.decode("ascii")}
        if self._signature is not None:
            headers[SIGNATURE] = self._signature(envelope)
        answer = self._request("POST", f"/v1/exchange/{dataset}/batches", headers, container)
        if answer.status_code == HTTPStatus.ACCEPTED:
            return None
        if answer.status_code == HTTPStatus.OK:
            return _members(answer)
        raise BatchRefused(batch, answer.status_code, _detail(answer))

    def receipt(self, batch: str) -> Mapping[str, Any] | None:
        """A batch's receipt; None where there is none yet."""
        answer = self._request("GET", f"/v1/exchange/receipts/{batch}", {}, None, absent=True)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else _members(answer)

    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        answer = self._request("GET", path, headers or {}, None)
        if answer.status_code not in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}:
            raise AccessRefused(answer.status_code, _detail(answer))
        return answer

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None, *, absent: bool = False
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, headers=headers, content=content)
        except httpx.TransportError as lost:
            raise TryAgain(type(lost).__name__) from lost
        if answer.status_code in _AGAIN:
            raise TryAgain(f"HTTP {answer.status_code}", _retry_after(answer))
        if answer.status_code in _ACCESS and not (absent and answer.status_code == HTTPStatus.NOT_FOUND):
            raise AccessRefused(answer.status_code, _detail(answer))
        return answer


def http_client(hub: str, token: str, language: Language, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client of the hub; ``transport`` is for tests."""
    headers = {"authorization": f"Bearer {token}", "accept-language": language, "user-agent": "shuniu-connector"}
    return httpx.Client(base_url=hub, headers=headers, timeout=TIMEOUT, transport=transport)


@dataclass(frozen=True, slots=True)
class Patience:
    """How requests are repeated.

    Args:
        hub: for the error's sentence.
        seconds_max: of one request with all its repetitions; None without end.
        stopping: set when the connector is to end.
        tell: told the problem and the pause in seconds, before each.
    """

    hub: str
    seconds_max: float | None
    stopping: threading.Event
    tell: Callable[[str, float], None]

    def ask(self, request: Callable[[], Answer]) -> Answer:
        """Make a request until it has an answer that counts. Pauses grow and differ: senders do not march in step.

        Raises:
            HubUnreachable: the time is over.
            Interrupted: the connector is to end.
        """
        began = time.monotonic()
        pause = PAUSE_SECONDS
        while True:
            try:
                return request()
            except TryAgain as again:
                problem, wanted = again.problem, again.after_seconds
            wait = max(wanted or 0.0, pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
            spent = time.monotonic() - began
            if self.seconds_max is not None and spent + wait > self.seconds_max:
                raise HubUnreachable(self.hub, round(self.seconds_max), problem)
            self.tell(problem, wait)
            if self.stopping.wait(wait):
                raise Interrupted(0)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds of Retry-After (RFC 9110 §10.2.3), bounded; None without one that can be read."""
    given = answer.headers.get("retry-after", "").strip()
    if given.isdigit():
        return min(float(given), PAUSE_SECONDS_MAX * 10)
    try:
        wanted = (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(wanted, 0.0), PAUSE_SECONDS_MAX * 10)


def _members(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        members = answer.json()
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise AnswerStrange(str(answer.request.url.copy_with(path="/", query=None)), f"HTTP {answer.status_code}")
    return members


def _detail(answer: httpx.Response) -> str:
    """The problem's own sentence (RFC 9457), else the status in words."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    detail = found.get("detail") if isinstance(found, dict) else None
    return str(detail or answer.reason_phrase or answer.status_code)[:_DETAIL_CHARACTERS_MAX]
