"""How far a run is: a bar on a terminal, plain lines elsewhere, always on standard error."""

import time
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from connectors.terminal import chosen, tell

PLAIN_SECONDS: Final = 5.0


class Watcher(Protocol):
    """Is told how far a run is; called from several threads."""

    def item(self, name: str, size: int | None, at: int) -> None:
        """An item begins, or goes on at a place."""
        ...

    def read(self, at: int) -> None:
        """The item is read up to here."""
        ...

    def sent(self, records: int) -> None:
        """The hub took so many more."""
        ...

    def waiting(self, receipts: int) -> None:
        """So many receipts are missing."""
        ...

    def note(self, zh: str, en: str) -> None:
        """Something people should know now."""
        ...


class Silent:
    """Tells nothing but what must be known."""

    def item(self, name: str, size: int | None, at: int) -> None:
        """Not told."""

    def read(self, at: int) -> None:
        """Not told."""

    def sent(self, records: int) -> None:
        """Not told."""

    def waiting(self, receipts: int) -> None:
        """Not told."""

    def note(self, zh: str, en: str) -> None:
        """On standard error."""
        tell(zh, en)


class PlainLines(Silent):
    """A line every few seconds."""

    def __init__(self) -> None:
        self._name, self._size, self._at = "", None, 0
        self._records = 0
        self._began = self._last = time.monotonic()

    def item(self, name: str, size: int | None, at: int) -> None:
        """Begin to count."""
        self._name, self._size, self._at, self._records = name, size, at, 0
        self._began = self._last = time.monotonic()

    def read(self, at: int) -> None:
        """Remember."""
        self._at = at

    def sent(self, records: int) -> None:
        """Count, and tell when it is time."""
        self._records += records
        now = time.monotonic()
        if now - self._last >= PLAIN_SECONDS:
            self._last = now
            share = f"{100 * self._at / self._size:.0f} % " if self._size else ""
            rate = round(self._records / max(now - self._began, 0.001))
            tell(
                f"{self._name}: {share}已报送 {self._records:,} 条,每秒 {rate:,} 条",
                f"{self._name}: {share}{self._records:,} records sent, {rate:,} records/s",
            )


class Bar:
    """A bar on a terminal. A context manager."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None
        self._records, self._began = 0, time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def item(self, name: str, size: int | None, at: int) -> None:
        """A new bar."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=size, completed=at, told="")
        self._records, self._began = 0, time.monotonic()

    def read(self, at: int) -> None:
        """Move it."""
        if self._task is not None:
            self._bar.update(self._task, completed=at)

    def sent(self, records: int) -> None:
        """Count."""
        self._records += records
        rate = round(self._records / max(time.monotonic() - self._began, 0.001))
        self._tell(chosen(f"{self._records:,} 条 {rate:,}/秒", f"{self._records:,} records {rate:,}/s"))

    def waiting(self, receipts: int) -> None:
        """Say what is waited for."""
        if receipts:
            self._tell(chosen(f"等待 {receipts} 份回执", f"waiting for {receipts} receipts"))

    def note(self, zh: str, en: str) -> None:
        """Above the bar."""
        self._bar.console.print(chosen(zh, en), markup=False, highlight=False)

    def _tell(self, text: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, told=text)
