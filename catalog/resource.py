"""A dataset as a decision sees it: its published entry's attributes and what each field is labelled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.contract import FieldType

Share = Literal["unconditional", "conditional", "not_shared"]
Open = Literal["unconditional", "conditional", "not_open"]
FieldLevel = Literal[1, 2, 3, 4, "important", "core"]
FieldKind = Literal[
    "citizen_id", "name", "phone", "address", "bank_card", "email", "credit_code", "date", "code", "number", "text",
    "geometry", "other",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldLabel:
    """What classification says of a field.

    Args:
        type: of the contract.
        level: None is not labelled, and then nothing of it leaves.
        kind: what its values are, which decides how they are masked.
    """

    type: FieldType
    level: FieldLevel | None
    kind: FieldKind


@dataclass(frozen=True, slots=True)
class Resource:
    """A dataset as of now.

    Args:
        dataset: id.
        organization: who owns it.
        base: population, legal_person, geospatial, macro_economy or a theme.
        entry_version: of the published catalogue entry; None where none is.
        secrecy_passed: whether that version has passed secrecy review (保密审查).
        share: share attribute of that version.
        open: open attribute of that version.
        fields: every field of the contract, in its order.
        key: names of the contract's key.
    """

    dataset: str
    organization: str
    base: str
    entry_version: int | None
    secrecy_passed: bool
    share: Share | None
    open: Open | None
    fields: Mapping[str, FieldLabel]
    key: tuple[str, ...]

    @property
    def personal(self) -> bool:
        """Whether its records are persons; then none leaves without a grant, whatever a field's level."""
        return self.base == "population"

    @property
    def key_is_confidential(self) -> bool:
        """Whether addresses must not carry the key: a key field of level 3 or more, or of no known level."""
        levels = (self.fields[name].level for name in self.key)
        return any(not isinstance(level, int) or level >= CONFIDENTIAL_LEVEL for level in levels)


CONFIDENTIAL_LEVEL = 3
