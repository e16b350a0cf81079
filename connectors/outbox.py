"""The outbox: batches that are made and not yet acknowledged, as files that survive the connector.

A batch is two files, ``<batch id>.avro`` and its envelope ``<batch id>.avro.batch.json``. The envelope is written last
and names the digest, so a pair is whole or it is none.
"""

import os
from contextlib import suppress
from pathlib import Path

from connectors.errors import SpoolDamaged
from schemas.batch import verify
from schemas.envelope import Envelope, parse_envelope
from schemas.errors import BatchError

_CONTAINER, _ENVELOPE = ".avro", ".avro.batch.json"


class Outbox:
    """A folder of batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, envelope: Envelope, container: bytes) -> None:
        """Write a batch; on disk when this returns, but for the folder's entry: see ``settle``."""
        _write(self._path(envelope.batch, _CONTAINER), container)
        _write(self._path(envelope.batch, _ENVELOPE), envelope.to_bytes())

    def settle(self) -> None:
        """Make the folder's entries durable."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def get(self, batch: str) -> tuple[bytes, bytes]:
        """A batch as it was written: envelope, container.

        Raises:
            SpoolDamaged: it is missing or not what its envelope says.
        """
        file = self._path(batch, _CONTAINER)
        try:
            container = file.read_bytes()
            text = self._path(batch, _ENVELOPE).read_bytes()
            verify(parse_envelope(text), container)
        except (OSError, BatchError):
            raise SpoolDamaged(file.name) from None
        return text, container

    def remove(self, batch: str) -> None:
        """Forget a batch; the envelope last, so that no container stays without one."""
        for ending in (_CONTAINER, _ENVELOPE):
            with suppress(FileNotFoundError):
                self._path(batch, ending).unlink()

    def keep_only(self, batches: set[str]) -> None:
        """Remove what the state does not know: written when the connector died, and never sent."""
        for file in self.folder.iterdir():
            if file.name.partition(".")[0] not in batches:
                file.unlink()

    def _path(self, batch: str, ending: str) -> Path:
        return self.folder / f"{batch}{ending}"


def _write(file: Path, content: bytes) -> None:
    # Records are personal data: for the owner's eyes only.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
