"""What a tier opens, with a grant and without: data an administrator reads, and changes with a second one's approval.

The default is the table of the design (授权等级). Field levels 1 to 4 are those within general data (GB/T 43697-2024);
important and core are above every number here and open to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from catalog.caller import Tier
from catalog.grant import UNLIMITED, Quota

Scope = Literal["open", "shareable", "own"]


@dataclass(frozen=True, slots=True)
class TierRule:
    """One cell of the table.

    Args:
        tier: of the caller.
        granted: whether a grant is used.
        scope: which datasets: open-unconditional, or openable under a grant (open); shareable; of the caller's own.
        clear_level: fields up to this level are given as they are.
        treated_level: fields up to this level are given masked, generalised or pseudonymous; 0 for none.
        named_level: fields up to this level are given clear where the grant names field and law; 0 for none.
        purpose_required: whether a purpose must be stated.
        quota: within a day where no grant says its own; of the public together, of every other caller alone.
    """

    tier: Tier
    granted: bool
    scope: Scope
    clear_level: int
    treated_level: int = 0
    named_level: int = 0
    purpose_required: bool = False
    quota: Quota = UNLIMITED


TierTable = Mapping[tuple[Tier, bool], TierRule]

_RULES: Final = (
    TierRule("public", False, "open", 1, quota=Quota(requests=1_000_000, rows=100_000_000)),
    TierRule("registered", False, "open", 1, quota=Quota(requests=100_000, rows=50_000_000)),
    TierRule("approved", False, "open", 1, quota=Quota(requests=200_000, rows=100_000_000)),
    TierRule("approved", True, "open", 2, treated_level=3, purpose_required=True),
    TierRule("department", False, "open", 1),
    TierRule("department", True, "shareable", 3, treated_level=4, named_level=4, purpose_required=True),
    TierRule("steward", False, "own", 4, purpose_required=True),
)

DEFAULT_TIERS: Final[TierTable] = {(rule.tier, rule.granted): rule for rule in _RULES}
