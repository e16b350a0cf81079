"""What the demo shows of the way out: one resident as three callers have it, why, a suspension at work, and a proof."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from seeds.demo_accounts import ADMINISTRATOR, AUDITOR, Accounts, Session
from seeds.demo_errors import DemoError
from seeds.demo_grants import DEPARTMENT_WISH, DEVELOPER_WISH, REGION_PREFIX, RESIDENT, Wish

Say = Callable[[str, str], str]
FORBIDDEN: Final = 403
RECORDS: Final = f"/v1/datasets/{RESIDENT}/records?limit=1&division_code=prefix:{REGION_PREFIX}"
SEALED_SECONDS_MAX: Final = 30
STOPPED_SECONDS_MAX: Final = 5.0
ABSENT: Final = "—"


@dataclass(frozen=True, slots=True)
class Callers:
    """The three kinds of caller."""

    public: Session
    developer: Session
    department: Session


def purpose_of(wish: Wish) -> Mapping[str, str]:
    """The header that states a purpose; headers are ASCII, so it is percent-encoded."""
    return {"hub-purpose": quote(wish.purpose)}


def in_language(say: Say) -> Mapping[str, str]:
    """The header that asks for sentences in the reader's language."""
    return {"accept-language": say("zh", "en")}


def show_side_by_side(console: Console, callers: Callers, say: Say) -> str:
    """The same resident as each has it; returns the decision id of the department's answer."""
    refused = callers.public.ask("GET", RECORDS, expect=FORBIDDEN, headers=in_language(say)).json()
    developer = callers.developer.ask("GET", RECORDS, headers=purpose_of(DEVELOPER_WISH))
    department = callers.department.ask("GET", RECORDS, headers=purpose_of(DEPARTMENT_WISH))
    seen = [_first(developer.json()), _first(department.json())]
    table = Table(
        say("数据项", "field"),
        say("公众", "the public"),
        say("经批准的开发者", "an approved developer"),
        say("用数部门", "a department"),
        title=say("同一位居民,三种调用者所见", "The same resident as three callers have it"),
        title_justify="left",
        box=None,
    )
    for name in dict.fromkeys([*seen[1], *seen[0]]):
        if not name.startswith("_"):
            table.add_row(name, ABSENT, *(str(record.get(name, ABSENT)) for record in seen))
    console.print(table)
    console.print(say(f"公众:{refused['detail']}", f"The public: {refused['detail']}"), highlight=False, markup=False)
    return str(department.headers["hub-decision"])


def show_aggregates(console: Console, public: Session, say: Say) -> None:
    """What the public may have of the population base: published aggregates."""
    listed = public.get("/v1/statistics")["statistics"]
    console.print(say("公众可用的统计汇总:", "The aggregates the public may have:"))
    for one in listed:
        title = say(one["title"]["zh"], one["title"]["en"])
        console.print(f"  {one['href']}  {title}", highlight=False, markup=False)


def show_explanation(console: Console, department: Session, say: Say) -> None:
    """Why one field is masked."""
    told = department.get(f"/v1/datasets/{RESIDENT}/explain", headers=purpose_of(DEPARTMENT_WISH))
    field = told["fields"]["id_number"]
    console.print(say("为什么公民身份号码是掩码?", "Why is the citizen ID masked?"), style="bold")
    console.print(
        say(
            f"{field['zh']}依据:{field['basis']}。{field['advice']['zh']}",
            f"{field['en']} Basis: {field['basis']}. {field['advice']['en']}",
        ),
        highlight=False,
        markup=False,
    )


def show_suspension(
    console: Console, accounts: Accounts, developer: Session, grant: str, now: datetime, say: Say
) -> None:
    """Suspend the developer's grant, see the next request refused, have it rectified, resume (articles 25 and 27)."""
    administrator = accounts.session(ADMINISTRATOR)
    asked = purpose_of(DEVELOPER_WISH)
    developer.ask("GET", RECORDS, headers=asked)
    body = {"reasons": "演示:超范围使用核查", "rectify_by": (now + timedelta(days=10)).isoformat()}
    administrator.post(f"/v1/grants/{grant}/suspension", body)
    suspended = time.monotonic()
    requests = 0
    while True:
        requests += 1
        refused = developer.ask("GET", RECORDS, expect=(200, FORBIDDEN), headers={**asked, **in_language(say)})
        if refused.status_code == FORBIDDEN:
            break
        if time.monotonic() - suspended > STOPPED_SECONDS_MAX:
            raise DemoError("the suspended grant is still in effect")
    milliseconds = (time.monotonic() - suspended) * 1000
    console.print(
        say(
            f"暂停授权后第 {requests} 次请求即被拒绝({milliseconds:.0f} 毫秒):{refused.json()['detail']}",
            f"Suspended: request {requests} was refused, {milliseconds:.0f} ms later: {refused.json()['detail']}",
        ),
        highlight=False,
        markup=False,
    )
    developer.post(f"/v1/grants/{grant}/rectification", {"text": "演示:已整改"})
    administrator.ask("POST", f"/v1/grants/{grant}/resumption")
    developer.ask("GET", RECORDS, headers=asked)
    console.print(say("整改后授权恢复。", "Rectified and resumed, it is in effect again."))


def prove(console: Console, accounts: Accounts, folder: Path, decision: str, say: Say) -> Path:
    """Fetch the proof of a decision's leaf and verify it offline with the stand-alone verifier."""
    auditor = accounts.session(AUDITOR)
    path = f"/v1/ledger/leaves/{decision}/proof"
    deadline = time.monotonic() + SEALED_SECONDS_MAX
    answer = auditor.ask("GET", path, expect=(200, 503))
    while answer.status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
        answer = auditor.ask("GET", path, expect=(200, 503))
    proof = folder / "proof"
    proof.mkdir(exist_ok=True)
    (proof / "bundle.json").write_bytes(answer.content)
    keys: Any = auditor.get("/v1/ledger/keys")["keys"]
    ledger = next(key for key in keys if key["kind"] == "ledger")
    (proof / "ledger.pem").write_text(ledger["public_pem"], encoding="ascii")
    command = [
        sys.executable,
        "-I",
        "-S",
        str(verifier()),
        str(proof / "bundle.json"),
        "--key",
        str(proof / "ledger.pem"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"the proof does not hold: {done.stdout}{done.stderr}")
    console.print(say("台账证明(离线验证):", "A proof from the ledger, verified offline:"), style="bold")
    console.print(done.stdout.strip(), highlight=False, markup=False)
    return proof


def verifier() -> Path:
    """The stand-alone verifier as it is installed."""
    found = find_spec("hub")
    assert found is not None  # noqa: S101 - installed beside the demo
    assert found.submodule_search_locations is not None  # noqa: S101 - a package
    return Path(found.submodule_search_locations[0]) / "ledger" / "verify_standalone.py"


def _first(page: Any) -> dict[str, Any]:  # noqa: ANN401 - decoded JSON
    records = page["records"]
    if not records:
        raise DemoError(f"no resident of {REGION_PREFIX} is there: {json.dumps(page, ensure_ascii=False)[:300]}")
    return records[0]
