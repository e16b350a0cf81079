"""What became of an item: for its owner as a few lines, for programs as JSON beside the file.

Reports hold row numbers, fields, codes and sentences; the values stay in the file.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.receipts import Receipt
from connectors.state import FINDINGS_MAX, Finding, Run
from schemas.errors import HubError, Language

VERSION: Final = 1
REASONS_SHOWN: Final = 10
EXAMPLES_SHOWN: Final = 20
REFUSALS_SHOWN: Final = 3
_COUNTS: Final = (
    "received",
    "accepted",
    "new",
    "changed",
    "unchanged",
    "superseded",
    "deleted",
    "rejected",
    "pending",
    "closed",
)

Outcome = Literal["done", "failed", "later"]


@dataclass(frozen=True, slots=True)
class Report:
    """One item's run.

    Args:
        run: as the state has it at the end.
        dataset: where it went.
        outcome: ``later`` for an item that is left where it is and read again.
        error: why it failed.
        batches: how many were made.
        receipts: those that came in time.
        findings: what the connector's own checks found, by reason.
        examples: the first rows of those.
        held: whether bad records were held back.
    """

    run: Run
    dataset: str
    outcome: Outcome
    error: HubError | None
    batches: int
    receipts: Sequence[Receipt]
    findings: Sequence[Finding]
    examples: Sequence[Mapping[str, Any]]
    held: bool

    @property
    def worth_telling(self) -> bool:
        """Whether anything happened: a database's table without changes is nothing to tell."""
        return self.run.rows_read > 0 or self.batches > 0 or self.outcome != "done"

    @property
    def totals(self) -> dict[str, int]:
        """Counts over all receipts."""
        return {name: sum(int(one.get(name, 0)) for one in self.receipts) for name in _COUNTS}

    @property
    def reasons(self) -> dict[str, int]:
        """Why the hub rejected records, the commonest first."""
        counted: Counter[str] = Counter()
        for one in self.receipts:
            counted.update(one.get("reasons") or {})
        return dict(counted.most_common())

    @property
    def refused(self) -> list[Receipt]:
        """Receipts of batches refused whole."""
        return [one for one in self.receipts if one.get("status") == "refused"]

    @property
    def waiting(self) -> int:
        """Batches whose receipt did not come in time."""
        return self.batches - len(self.receipts)

    @property
    def rate(self) -> int:
        """Records a second, from the item's first byte to its last receipt."""
        return round(self.run.records / self.run.seconds) if self.run.seconds else 0

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "v": VERSION,
            "dataset": self.dataset,
            "item": self.run.item,
            "run": self.run.id,
            "operation": self.run.operation,
            "cut_at": self.run.cut_at.isoformat(),
            "contract": self.run.contract,
            "outcome": self.outcome,
            "error": None if self.error is None else self.error.to_json(),
            "rows": {
                "read": self.run.rows_read,
                "sent": self.run.records,
                "held": self.run.rows_bad if self.held else 0,
                "found_bad": self.run.rows_bad,
            },
            "batches": {"sent": self.batches, "refused": len(self.refused), "without_receipt": self.waiting},
            "receipts": self.totals,
            "reasons": self.reasons,
            "refusals": [one.get("refusal") for one in self.refused[:REASONS_SHOWN]],
            "found": {
                "reasons": [{**one.reason, "severity": one.severity, "rows": one.rows} for one in self.findings],
                "rows": list(self.examples),
                "rows_cut": sum(one.rows for one in self.findings) > FINDINGS_MAX,
            },
            "seconds": round(self.run.seconds, 3),
            "records_per_s": self.rate,
        }

    def to_text(self) -> str:
        """The report file."""
        return json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n"

    def lines(self, language: Language) -> list[str]:
        """The summary for people."""
        counts, zh = self.totals, language == "zh"
        name = self.run.item if self.run.operation == "upsert" else f"{self.run.item} ({self.run.operation})"
        outcome = {"done": ("完成", "done"), "failed": ("失败", "failed"), "later": ("留待下次", "left for later")}
        head = f"{name}: {outcome[self.outcome][0 if zh else 1]}"
        if self.error is not None:
            head += f" — {self.error.sentence(language)}"
        lines = [head]
        if self.run.records:
            lines.append(
                f"  报送 {self.run.records:,} 条,收下 {counts['accepted']:,},拒收 {counts['rejected']:,},"
                f"待关联 {counts['pending']:,};{self.run.seconds:.1f} 秒,每秒 {self.rate:,} 条"
                if zh
                else f"  sent {self.run.records:,}, accepted {counts['accepted']:,}, rejected {counts['rejected']:,}, "
                f"pending {counts['pending']:,}; {self.run.seconds:.1f} s, {self.rate:,} records/s"
            )
        lines += self._exceptions(zh=zh)
        lines += [f"  {rows:>9,}  {text}" for rows, text in self._top_reasons(language)]
        return lines

    def _exceptions(self, *, zh: bool) -> list[str]:
        found: list[str] = []
        if self.held and self.run.rows_bad:
            rows = self.run.rows_bad
            found.append(f"  未报送的不合格记录 {rows:,} 条" if zh else f"  {rows:,} bad records were held back")
        if self.refused:
            rows = len(self.refused)
            found.append(f"  整批拒收 {rows} 批" if zh else f"  {rows} batches were refused whole")
            told = [(one.get("refusal") or {}).get("zh" if zh else "en", "") for one in self.refused[:REFUSALS_SHOWN]]
            found += [f"    {sentence}" for sentence in told]
        if self.waiting and self.outcome == "done":
            found.append(
                f"  {self.waiting} 批已确认,回执尚未生成"
                if zh
                else f"  {self.waiting} batches are acknowledged, their receipts not there yet"
            )
        return found

    def _top_reasons(self, language: Language) -> list[tuple[int, str]]:
        rejecting = [one for one in self.findings if one.severity == "reject"][:REASONS_SHOWN]
        known = {one.code for one in self.findings}
        shown = [(one.rows, f"{one.field or '-'}: {one.reason[language]}") for one in rejecting]
        # What only the hub can find, it tells by code.
        shown += [(rows, code) for code, rows in self.reasons.items() if code not in known]
        return sorted(shown, reverse=True)[:REASONS_SHOWN]
