"""The demo's catalogue: each dataset's entry drafted and submitted by its steward, reviewed by another, published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from seeds.demo_accounts import ADMINISTRATOR, REVIEWER, STEWARDS, Accounts
from seeds.roster import DATASETS, Dataset

OK = 200
ENTRIES = Path(__file__).parent / "entries"
_OPINION = "不涉及国家秘密和工作秘密;演示数据均为合成或已公开。"
_IMPACT = "已评估个人信息保护影响:最小必要,按级别掩码,可追溯。"


def publish_entries(accounts: Accounts, progress: Callable[[str], None]) -> int:
    """Publish what is not published yet, so that a run that was cut short goes on; how many are published."""
    for dataset in DATASETS:
        progress(dataset.id)
        _publish(accounts, dataset)
    return len(DATASETS)


def _publish(accounts: Accounts, dataset: Dataset) -> None:
    steward = accounts.session(STEWARDS[dataset.organization])
    path = f"/v1/catalog/entries/{dataset.id}"
    answer = steward.ask("GET", f"{path}/versions", expect=(200, 404))
    version = _newest(answer.json()) if answer.status_code == OK else None
    if version is None or version["state"] in {"draft", "sent_back", "revised", "withdrawn"}:
        given: Any = yaml.safe_load((ENTRIES / f"{dataset.name}.yaml").read_text(encoding="utf-8"))
        version = steward.post(f"{path}/draft", given)
        version = steward.post(f"{path}/submit", _named(version))
    if version["state"] == "submitted":
        reviewer = accounts.session(REVIEWER)
        reviewer.post(
            f"{path}/secrecy-review", _named(version) | {"passed": True, "opinion": _OPINION, "impact": _IMPACT}
        )
        version = reviewer.post(f"{path}/review", _named(version))
    if version["state"] == "reviewed":
        accounts.session(ADMINISTRATOR).post(f"{path}/publish", _named(version))


def _newest(answer: Any) -> Any:  # noqa: ANN401 - decoded JSON
    versions = answer["versions"]
    return max(versions, key=lambda one: one["version"]) if versions else None


def _named(version: Any) -> dict[str, Any]:  # noqa: ANN401 - decoded JSON
    return {"version": version["version"], "sm3": version["sm3"]}
