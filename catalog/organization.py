"""An organization: who provides or uses data."""

import re
from dataclasses import dataclass
from typing import Literal, NewType, get_args

from catalog.errors import OrganizationWrong

OrganizationId = NewType("OrganizationId", str)
Level = Literal["province", "city", "county"]

_ID = re.compile(r"[a-z][a-z0-9-]{1,39}")
_REGION = {
    "province": re.compile(r"[1-9][0-9]0000"),
    "city": re.compile(r"[1-9][0-9](?!00)[0-9]{2}00"),
    "county": re.compile(r"[1-9][0-9]{3}(?!00)[0-9]{2}"),
}
NAME_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Organization:
    """One row of table organization; valid when made.

    Args:
        id: a short slug, as in ``gong-an``.
        name_zh: full Chinese name.
        name_en: English name.
        level: province, city or county.
        region: GB/T 2260 code of its region, of that level.
        credit_code: unified social credit code (GB 32100), where known.
    """

    id: str
    name_zh: str
    name_en: str
    level: str
    region: str
    credit_code: str | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise OrganizationWrong(field="id", rule=_ID.pattern)
        for name in ("name_zh", "name_en"):
            if not 0 < len(getattr(self, name).strip()) <= NAME_CHARACTERS_MAX:
                raise OrganizationWrong(field=name, rule=f"1..{NAME_CHARACTERS_MAX} characters")
        if self.level not in get_args(Level):
            raise OrganizationWrong(field="level", rule=" | ".join(get_args(Level)))
        if not _REGION[self.level].fullmatch(self.region):
            raise OrganizationWrong(field="region", rule=f"GB/T 2260, {self.level}")
        if self.credit_code is not None:
            from schemas.identifiers import credit_code_problem  # brings numpy, which the door needs for nothing else

            if credit_code_problem(self.credit_code) is not None:
                raise OrganizationWrong(field="credit_code", rule="GB 32100")
