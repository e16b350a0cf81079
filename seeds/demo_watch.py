"""What the hub says of the datasets while they fill: asked over HTTP, with each organization's own token."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from seeds.roster import Dataset

# A page of the quarantine.
_PAGE_RECORDS = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A dataset's counts over all receipts; ``lag`` batches of it wait in the log."""

    received: int
    rejected: int
    pending: int
    lag: int
    last_batch: str | None

    @property
    def accepted(self) -> int:
        return self.received - self.rejected - self.pending


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    zh: str
    en: str


class Watch:
    """Reads standings and reasons. One per demo."""

    def __init__(self, base_url: str, tokens: Mapping[str, Path]) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=10)
        self._tokens = {organization: file.read_text(encoding="ascii").strip() for organization, file in tokens.items()}

    def standing(self, dataset: Dataset) -> Standing:
        """A dataset's counts now."""
        found = self._get(dataset, f"/v1/exchange/{dataset.id}", {})
        waiting = found["quarantine"]
        last = found["last_receipt"]
        return Standing(
            found["received"], found["rejected"], waiting["pending"], found["lag"], last["batch"] if last else None
        )

    def reasons(self, dataset: Dataset) -> Counter[Reason]:
        """Why records of a dataset are in quarantine; a record counts once for each of its reasons."""
        counted: Counter[Reason] = Counter()
        after = 0
        while True:
            page = self._get(dataset, f"/v1/exchange/{dataset.id}/quarantine", {"limit": _PAGE_RECORDS, "after": after})
            for entry in page["entries"]:
                counted.update({Reason(one["code"], one["zh"], one["en"]) for one in entry["reasons"]})
            if len(page["entries"]) < _PAGE_RECORDS:
                return counted
            after = page["entries"][-1]["id"]

    def _get(self, dataset: Dataset, path: str, query: Mapping[str, int]) -> dict[str, Any]:
        answer = self._client.get(
            path, params=query, headers={"authorization": f"Bearer {self._tokens[dataset.organization]}"}
        )
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def wait_until_healthy(base_url: str, still_running: Callable[[], None], seconds: int) -> bool:
    """Wait for the hub to take batches; False when it did not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        still_running()
        try:
            if httpx.get(f"{base_url}/v1/health/ready", timeout=2).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    return False
