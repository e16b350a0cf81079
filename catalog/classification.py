"""Classification and grading (分类分级): the matrix of the standard, the refusal of what is unlabelled, a proposal.

A proposal is what names, titles, checks and sampled content suggest to the person who labels; it decides nothing. It
errs upward: the highest of what any sign says, and of the contract's own level (就高从严).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from catalog.entry import Entry, highest
from catalog.entry_errors import FieldsUnlabelled
from catalog.kind_signs import Sign, signs_of_content, signs_of_field
from catalog.resource import FieldKind, FieldLevel
from schemas.contract import Contract, Field

# The matrix ----------------------------------------------------------------------------------------------------------

ImpactObject = Literal["national_security", "economy_society_public", "organization_individual"]
Severity = Literal["especially_serious", "serious", "general", "none"]

# GB/T 43697-2024, table of impact object × degree of harm: 核心 > 重要 > 一般. Whatever is neither core nor important
# is general data and graded 1–4 within it by its harm (informative annex H; the four steps are those in common use).
_MATRIX: Final[Mapping[ImpactObject, Mapping[Severity, FieldLevel]]] = {
    "national_security": {"especially_serious": "core", "serious": "core", "general": "important", "none": 1},
    "economy_society_public": {"especially_serious": "core", "serious": "important", "general": 2, "none": 1},
    "organization_individual": {"especially_serious": 4, "serious": 3, "general": 2, "none": 1},
}


def grade(impacts: Mapping[ImpactObject, Severity]) -> FieldLevel:
    """The level by what harm to whom its leaking, altering, destroying or abusing would do (GB/T 43697-2024).

    Several objects may be harmed: the highest level counts (就高从严). No object named is no harm known, level 1.
    """
    found: FieldLevel | None = highest(_MATRIX[impact][severity] for impact, severity in impacts.items())
    return 1 if found is None else found


# Unlabelled ----------------------------------------------------------------------------------------------------------


def require_labelled(entry: Entry, contract: Contract) -> None:
    """Refuse an entry that leaves a field of the contract without a level: not labelled is not published.

    Raises:
        FieldsUnlabelled: naming every one.
    """
    labelled = {item.name for item in entry.items if item.level is not None}
    missing = [name for name in contract.field_names if name not in labelled]
    if missing:
        raise FieldsUnlabelled(dataset=entry.dataset, fields=", ".join(missing))


# Proposals -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is suggested for a field.

    Args:
        field: its name.
        level: the highest that any sign, or the contract, says.
        kind: of the surest sign.
        signs: every sign found, the surest first; none holds a value of a record.
    """

    field: str
    level: FieldLevel
    kind: FieldKind
    signs: tuple[Sign, ...]


def propose(contract: Contract, samples: Mapping[str, Sequence[str | None]]) -> tuple[Proposal, ...]:
    """A label for every field.

    Args:
        contract: gives names, titles, checks and national types.
        samples: by field, values in text form, as many as there are at hand; none is kept or repeated.
    """
    personal = contract.base == "population"
    return tuple(_proposed(field, samples.get(field.name, ()), personal=personal) for field in contract.fields)


def _proposed(field: Field, sample: Sequence[str | None], *, personal: bool) -> Proposal:
    values = [value for value in sample if value is not None and value.strip()]
    signs = [*signs_of_content(values, field, personal=personal), *signs_of_field(field, personal=personal)]
    surest = sorted(signs, key=lambda sign: -sign.certainty)
    by_contract: FieldLevel | None = field.level  # pyright: ignore[reportAssignmentType] - the parser lets 1 to 4 pass
    level = highest([by_contract, *[sign.level for sign in signs]])
    assert level is not None  # noqa: S101 - a type is always a sign
    return Proposal(field.name, level, surest[0].kind, tuple(surest))
