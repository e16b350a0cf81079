"""A dataset: one table-shaped resource of one organization, following one contract."""

import re
from dataclasses import dataclass
from typing import NewType

from catalog.errors import DatasetWrong

DatasetId = NewType("DatasetId", str)

TOPIC_PREFIX = "exchange."
HISTORY_SUFFIX = "_history"
TITLE_CHARACTERS_MAX = 200
_ID = re.compile(r"[0-9]{6}\.[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of table dataset; valid when made.

    Args:
        id: ``<region code>.<name>``, unique among hubs.
        contract: name of the contract its records follow.
        contract_version: the newest version whose columns its tables have.
        organization: who owns it.
        title_zh: Chinese title.
        title_en: English title.
        base: the base it belongs to.
        table_name: its current table in schema data.
    """

    id: str
    contract: str
    contract_version: int
    organization: str
    title_zh: str
    title_en: str
    base: str
    table_name: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise DatasetWrong(field="id", rule=_ID.pattern)
        if self.id.endswith(HISTORY_SUFFIX):  # its current table would be another dataset's history
            raise DatasetWrong(field="id", rule=f"…{HISTORY_SUFFIX} ✗")
        for name in ("title_zh", "title_en"):
            if not 0 < len(getattr(self, name).strip()) <= TITLE_CHARACTERS_MAX:
                raise DatasetWrong(field=name, rule=f"1..{TITLE_CHARACTERS_MAX} characters")

    @property
    def topic(self) -> str:
        """The log topic its batches go to."""
        return TOPIC_PREFIX + self.id
