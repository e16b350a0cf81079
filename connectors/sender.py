"""Batches on their way: several at once, each until the hub has answered; never more in memory than that."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from connectors.client import Door, Patience
from connectors.errors import BatchRefused, ConnectorError
from connectors.outbox import Outbox
from connectors.state import State


class Sender:
    """Sends batches that lie in the outbox.

    Args:
        door: where to.
        dataset: of all of them.
        patience: how each is repeated.
        state: where acknowledgements are written down, before the outbox forgets the batch.
        outbox: where they lie.
        in_flight: how many at once.
        acknowledged: told the records of each batch that the hub took.
    """

    def __init__(
        self,
        door: Door,
        dataset: str,
        patience: Patience,
        state: State,
        outbox: Outbox,
        in_flight: int,
        acknowledged: Callable[[int], None],
    ) -> None:
        self._door = door
        self._dataset = dataset
        self._patience = patience
        self._state = state
        self._outbox = outbox
        self._acknowledged = acknowledged
        self._places = threading.Semaphore(in_flight)
        self._in_flight = in_flight
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix="sender")
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)

    def send(self, batch: str, envelope: bytes, container: bytes, records: int) -> None:
        """Send a batch as soon as there is room for it; waits for the room.

        Raises:
            ConnectorError: one of the batches before it failed.
        """
        self._places.acquire()
        if self._failure is not None:
            self._places.release()
            raise self._failure
        self._pool.submit(self._send, batch, envelope, container, records)

    def drain(self) -> None:
        """Wait until every batch is acknowledged.

        Raises:
            ConnectorError: one of them failed.
        """
        for _ in range(self._in_flight):
            self._places.acquire()
        self._places.release(self._in_flight)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _send(self, batch: str, envelope: bytes, container: bytes, records: int) -> None:
        try:
            receipt = self._patience.ask(lambda: self._door.hand_in(self._dataset, envelope, container, batch))
            self._settle(batch, receipt)
            self._acknowledged(records)
        except BatchRefused as refused:
            # It will never be taken: what stays is the report, not the batch.
            self._state.settle(batch, "refused", {"status": "refused", "refusal": refused.to_json()})
            self._outbox.remove(batch)
            self._failure = refused
        except BaseException as failure:  # noqa: BLE001 - carried to the thread that asked
            # The first failure says most; what follows it mostly follows from it.
            if self._failure is None or not isinstance(self._failure, ConnectorError):
                self._failure = failure
        finally:
            self._places.release()

    def _settle(self, batch: str, receipt: Mapping[str, Any] | None) -> None:
        self._state.settle(batch, "acknowledged", receipt)
        self._outbox.remove(batch)
