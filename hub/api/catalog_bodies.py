"""What the catalogue's endpoints are sent and answer, for validation and for OpenAPI."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from catalog.entry import UpdateCycle
from catalog.grant import Method
from catalog.lifecycle import State
from catalog.resource import FieldKind, FieldLevel, Open, Share
from hub.acts.entries import NOTE_CHARACTERS_MAX

FieldName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,62}$")]
Sm3 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SM3 of the content that was looked at.")]
VersionNumber = Annotated[int, Field(ge=1, lt=2**31, description="Number of the version.")]
Reasons = Annotated[str, StringConstraints(min_length=1, max_length=NOTE_CHARACTERS_MAX)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Closed(BaseModel):
    """Nothing but what is named: a member too many is refused."""

    model_config = ConfigDict(extra="forbid")


# What is sent --------------------------------------------------------------------------------------------------------


class Bilingual(Closed):
    """A text in both languages."""

    zh: Line
    en: Line


class Label(Closed):
    """The label of a field; level null leaves it unlabelled, and such an entry is not published."""

    level: FieldLevel | None
    kind: FieldKind = "other"


class ShareBody(Closed):
    """Share attribute; which of the others are listed, article 15 says."""

    type: Share
    scope: str = ""
    uses: str = ""
    conditions: str = ""
    reason: str = ""
    law: str = ""


class OpenBody(Closed):
    """Open attribute."""

    type: Open
    conditions: str = ""
    reason: str = ""
    planned_on: date | None = Field(None, description="开放时间表.")


class DraftBody(Closed):
    """An entry as its provider writes it; titles and national types come from the contract."""

    code: str = Field(pattern=r"^[123]\d{2}\d{3}\d*/\d+$", max_length=64, description="分类码/顺序码.")
    provider_code: str | None = Field(None, description="GB 32100; the organization's by default.")
    name: Bilingual
    abstract: Bilingual
    format: Literal[1, 2, 3, 4, 5, 6, 7]
    labels: dict[FieldName, Label] = Field(max_length=500, json_schema_extra={"additionalProperties": False})
    share: ShareBody
    open: OpenBody
    methods: list[Method] = Field([], max_length=4)
    update_cycle: UpdateCycle
    related: list[Line] = Field([], max_length=50)
    keywords: list[Line] = Field([], max_length=20)
    theme: str
    region: str | None = Field(None, pattern="^[1-9][0-9]{5}$", description="The organization's by default.")

    def given(self) -> dict[str, Any]:
        """As ``catalog.entry_json`` reads it."""
        return self.model_dump(mode="json", exclude_none=True) | {
            "labels": {name: label.model_dump() for name, label in self.labels.items()}
        }


class VersionBody(Closed):
    """Which version, by its content."""

    version: VersionNumber
    sm3: Sm3


class ReviewBody(VersionBody):
    """An approval."""

    note: str = Field("", max_length=NOTE_CHARACTERS_MAX)


class SecrecyBody(VersionBody):
    """A secrecy review (保密审查)."""

    passed: bool
    opinion: Reasons
    impact: str = Field("", max_length=NOTE_CHARACTERS_MAX, description="个人信息保护影响评估 (article 13).")


class SendBackBody(Closed):
    """Why it goes back."""

    version: VersionNumber
    reasons: Reasons


class WithdrawBody(Closed):
    """Why it is withdrawn."""

    reasons: Reasons


class LevelBody(Closed):
    """A higher level, from now on."""

    field: FieldName
    level: FieldLevel
    reasons: Reasons


# What is answered ----------------------------------------------------------------------------------------------------


class VersionAnswer(Closed):
    """Where a version stands."""

    dataset: str
    version: int
    state: State
    sm3: str
    created_at: datetime
    changed_at: datetime
    published_at: datetime | None


class VersionsAnswer(Closed):
    """Versions, the newest first."""

    versions: list[VersionAnswer]


class Named(Closed):
    """An organization."""

    id: str
    name: Bilingual


class EntryAnswer(VersionAnswer):
    """An entry with where it stands and how its data fare; ``work`` is the owner's and the offices' alone."""

    base: str
    organization: Named
    level: FieldLevel | None
    secrecy_passed: bool
    entry: dict[str, Any]
    format_name: Bilingual
    update_cycle_name: Bilingual
    freshness: dict[str, str | None]
    records: int
    quality: dict[str, Any]
    work: dict[str, Any] | None


class HitAnswer(Closed):
    """One entry of a list."""

    dataset: str
    version: int
    state: State
    name: Bilingual
    abstract: Bilingual
    organization: Named
    base: str
    level: str
    share: Share
    open: Open
    region: str
    format: str
    update_cycle: UpdateCycle
    published_at: datetime | None
    records: int
    last_taken_at: datetime | None


class SearchAnswer(Closed):
    """A page of what you may know of."""

    entries: list[HitAnswer]
    relaxed: bool = Field(description="Nothing was found as typed; these differ by a character or a word's end.")
    total: int | None = Field(description="Of all pages; on the first page only.")
    facets: dict[str, dict[str, int]] | None = Field(description="Counts by facet and value; where asked for.")
    next: str | None = Field(description="The next page; null on the last.")


class ReviewAnswer(Closed):
    """A secrecy review."""

    number: int
    sm3: str
    passed: bool
    opinion: str
    impact: str
    actor: str
    at: datetime


class ChangesAnswer(Closed):
    """What changed between two versions."""

    first: int
    second: int
    changes: list[dict[str, Any]]


class ProposalAnswer(Closed):
    """A label that is suggested."""

    field: str
    level: FieldLevel
    kind: FieldKind
    signs: list[dict[str, Any]]


class ProposalsAnswer(Closed):
    """Suggested labels of all fields, from names, checks and types."""

    dataset: str
    proposals: list[ProposalAnswer]
