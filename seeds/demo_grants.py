"""The demo's grants on the residents: a department asks and a developer asks, each by the five elements of article 20.

Asked by the one who needs it, accepted and proposed by the provider's steward, given by the administrator: three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from seeds.demo_accounts import ADMINISTRATOR, DEVELOPER, STEWARDS, Accounts, Memory, Session

RESIDENT: Final = "420000.resident"
DEPARTMENT: Final = "min-zheng"
REGION_PREFIX: Final = "4201"
TERM_DAYS: Final = 180


@dataclass(frozen=True, slots=True)
class Wish:
    """What one of them asks for: of which dataset, for which purpose, on which basis, fields as openly as needed."""

    name: str
    dataset: str
    provider: str
    purpose: str
    basis: str
    fields: Mapping[str, str]
    prefix: str | None = None
    for_itself: bool = False


DEPARTMENT_WISH: Final = Wish(
    name="department",
    dataset=RESIDENT,
    provider="gong-an",
    purpose="低保对象身份核对",
    basis="《社会救助暂行办法》第五十八条",
    fields={
        "id_number": "masked",
        "name": "clear",
        "sex": "clear",
        "birth_date": "clear",
        "division_code": "clear",
        "address": "clear",
        "phone": "masked",
    },
    prefix=REGION_PREFIX,
)
DEVELOPER_WISH: Final = Wish(
    name="developer",
    dataset=RESIDENT,
    provider="gong-an",
    purpose="人口分布研究",
    basis="《公共数据资源授权运营实施规范(试行)》",
    fields={
        "name": "masked",
        "sex": "clear",
        "birth_date": "generalised",
        "division_code": "clear",
        "phone": "pseudonymous",
        "education": "clear",
    },
    prefix=REGION_PREFIX,
    for_itself=True,
)
# Left for who looks at the demo to give.
OPEN_WISH: Final = Wish(
    name="open",
    dataset="420000.registration",
    provider="shi-chang",
    purpose="参保单位核对",
    basis="《社会保险法》第五十七条",
    fields={"credit_code": "clear", "name": "clear", "legal_representative": "masked"},
)
OPEN_ASKER: Final = "ren-she"


def developer_session(accounts: Accounts, memory: Memory, base_url: str, now: datetime) -> Session:
    """The developer's application with a key of its own; its owner is approved for a term by the administrator."""
    if memory.get("developer_key") is None:
        term = {"from": now.isoformat(), "until": (now + timedelta(days=TERM_DAYS)).isoformat()}
        administrator = accounts.session(ADMINISTRATOR)
        administrator.ask("PUT", f"/v1/people/{accounts.id_of(DEVELOPER)}/approval", expect=(200, 204), json=term)
        developer = accounts.session(DEVELOPER)
        application = developer.post("/v1/applications", {"name": "人口分布图(演示)"}, expect=201)
        issued = developer.post(f"/v1/applications/{application['id']}/keys", {"days": TERM_DAYS}, expect=201)
        memory.put("developer_key", issued["key"])
    return Session(base_url, str(memory.get("developer_key")))


def granted(accounts: Accounts, memory: Memory, asker: Session, wish: Wish, now: datetime) -> str:
    """The id of a live grant of this wish: the one of an earlier run, else a new one, asked for and given."""
    known = memory.get(f"grant:{wish.name}")
    if known is not None and asker.get(f"/v1/grants/{known}")["state"] == "active":
        return str(known)
    proposal = _propose(accounts, asker, wish, now)
    given = accounts.session(ADMINISTRATOR).post(
        f"/v1/grants/proposals/{proposal['id']}/approval", {"digest": proposal["digest"]}
    )
    memory.put(f"grant:{wish.name}", given["id"])
    return str(given["id"])


def proposed(accounts: Accounts, memory: Memory, asker: Session, wish: Wish, now: datetime) -> tuple[str, str]:
    """Id and digest of a proposal that waits for approval: that of an earlier run, else a new one."""
    known = memory.get(f"proposal:{wish.name}")
    steward = accounts.session(STEWARDS[wish.provider])
    found = None if known is None else steward.get(f"/v1/grants/proposals/{known}")
    if found is None or found["state"] != "open":
        found = _propose(accounts, asker, wish, now)
        memory.put(f"proposal:{wish.name}", found["id"])
    return str(found["id"]), str(found["digest"])


def _propose(accounts: Accounts, asker: Session, wish: Wish, now: datetime) -> Any:  # noqa: ANN401 - decoded JSON
    request = asker.post("/v1/requests", _elements(wish, now), expect=201)
    steward = accounts.session(STEWARDS[wish.provider])
    steward.post(f"/v1/requests/{request['id']}/acceptance", {"consent": "数据共享工作机构〔2026〕1号"})
    return steward.post("/v1/grants/proposals", {"request": request["id"]}, expect=201)


def _elements(wish: Wish, now: datetime) -> dict[str, Any]:
    return {
        "dataset": wish.dataset,
        "basis": wish.basis,
        "scenario": wish.purpose,
        "fields": dict(wish.fields),
        "rows": None if wish.prefix is None else {"field": "division_code", "prefix": wish.prefix},
        "methods": ["api", "file", "subscription"],
        "valid_from": now.isoformat(),
        "valid_until": (now + timedelta(days=TERM_DAYS)).isoformat(),
        "consent": "本单位数据共享工作机构〔2026〕7号",
        "for_itself": wish.for_itself,
    }
