"""What the demo prints at its end: the table of receipts, the commonest reasons, where to look next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from seeds.demo_watch import Reason, Standing
from seeds.roster import Dataset

Language = Literal["zh", "en"]
REASONS_SHOWN = 10

_HEADINGS: Mapping[Language, Sequence[str]] = {
    "zh": ("数据资源", "单位", "接收", "入库", "拒收", "待关联", "秒", "条/秒"),
    "en": ("dataset", "of", "received", "accepted", "rejected", "pending", "s", "per s"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A dataset at the end. ``records`` were received in this run, in ``seconds``; none where none were left."""

    dataset: Dataset
    standing: Standing
    records: int
    seconds: float
    expected: Mapping[str, Any]

    @property
    def differs(self) -> bool:
        """Whether the hub counted otherwise than promised. What a later run sends again counts as accepted again."""
        standing = self.standing
        repeated = standing.received - self.expected["received"]
        found = (standing.accepted - repeated, standing.rejected, standing.pending)
        return repeated < 0 or found != tuple(self.expected[name] for name in ("accepted", "rejected", "pending"))


def show_receipts(console: Console, outcomes: Sequence[Outcome], language: Language) -> None:
    """One row a dataset; counts that differ from what the generator promised are shown with the promise."""
    title = "回执汇总" if language == "zh" else "Receipts"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for position, heading in enumerate(_HEADINGS[language]):
        table.add_column(heading, justify="left" if position < 2 else "right", no_wrap=True)
    for outcome in outcomes:
        standing, dataset = outcome.standing, outcome.dataset
        counts = (standing.received, standing.accepted, standing.rejected, standing.pending)
        wanted = [outcome.expected[name] for name in ("received", "accepted", "rejected", "pending")]
        if not outcome.differs:
            wanted = [*counts]  # what was sent again is no difference
        table.add_row(
            dataset.title_zh if language == "zh" else dataset.id.partition(".")[2],
            dataset.organization,
            *(_count(found, promised) for found, promised in zip(counts, wanted, strict=True)),
            f"{outcome.seconds:.1f}" if outcome.records else "–",
            f"{outcome.records / outcome.seconds:,.0f}" if outcome.records and outcome.seconds else "–",
        )
    console.print(table)


def _count(found: int, promised: int) -> str:
    return f"{found:,}" if found == promised else f"[bold red]{found:,} ≠ {promised:,}[/]"


def show_reasons(console: Console, reasons: Counter[Reason], language: Language) -> None:
    """The commonest reasons in words."""
    title = f"最常见的 {REASONS_SHOWN} 种原因" if language == "zh" else f"The {REASONS_SHOWN} commonest reasons"
    table = Table("", "code", title, title_justify="left", box=None)
    for reason, count in reasons.most_common(REASONS_SHOWN):
        table.add_row(f"{count:,}", reason.code, reason.zh if language == "zh" else reason.en)
    console.print(table)


def show_next(
    console: Console, base_url: str, tokens: Mapping[str, Path], outcomes: Sequence[Outcome], language: Language
) -> None:
    """Three lines to type, each of which works."""
    first = outcomes[0]
    header = f'-H "authorization: Bearer $(cat {_short(tokens[first.dataset.organization])})"'
    console.print("接下来可以看:" if language == "zh" else "Where to look next:", style="bold")
    for path in (
        f"{first.dataset.id}",
        f"{first.dataset.id}/quarantine?limit=3",
        f"receipts/{first.standing.last_batch}",
    ):
        # Not in a table and not wrapped: the lines are for copying.
        console.print(
            f"curl -s {header} '{base_url}/v1/exchange/{path}'", soft_wrap=True, highlight=False, markup=False
        )


def _short(path: Path) -> str:
    """Relative to where the user is, when that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
