"""hub entry."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml
from psycopg import Connection

from catalog.caller import PUBLIC, Caller
from catalog.entry_store import EntryVersion
from catalog.entry_view_store import changes_for, versions_for, view_of
from catalog.resource import FieldLevel
from catalog.search import read_query
from catalog.search_store import Filters, search
from catalog.visibility import sight_of
from hub.acts import entries
from hub.acts.entries import SecrecyOpinion
from hub.acts.shown_entry import shown_changes, shown_hit, shown_review, shown_version, shown_view
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, language, say, show_json, show_rows, tell, transaction

entry = typer.Typer(help="Catalogue entries: what a dataset says of itself, in versions.", no_args_is_help=True)

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="Dataset id, as in 420000.resident.")]
Version = Annotated[int, typer.Option(min=1, help="Number of the version.")]
Sm3 = Annotated[str, typer.Option(help="SM3 of the content you have read, as show prints it.")]
Reasons = Annotated[str, typer.Option(help="Why.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]
ReadingAs = Annotated[
    str | None, typer.Option("--as", metavar="LOGIN", help="The account that reads; the public by default.")
]


# The lifecycle -------------------------------------------------------------------------------------------------------


@entry.command("draft")
def draft(
    dataset: Dataset,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The entry in YAML or JSON; - reads standard input.")],
    acting_as: ActingAs,
    as_json: AsJson = False,
) -> None:
    """Write a draft, or replace the one in work."""
    given = _read(file)
    _act(acting_as, lambda conn, actor, now: entries.draft(conn, actor, dataset, given, now), as_json=as_json)


@entry.command("submit")
def submit(dataset: Dataset, version: Version, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Submit a draft for review; from here on its content never changes."""
    _act(acting_as, lambda conn, actor, now: entries.submit(conn, actor, dataset, version, None, now), as_json=as_json)


@entry.command("review")
def review(
    dataset: Dataset,
    version: Version,
    sm3: Sm3,
    acting_as: ActingAs,
    note: Annotated[str, typer.Option(help="Anything to remark.")] = "",
    as_json: AsJson = False,
) -> None:
    """Approve a submitted version; by another person than who drafted or submitted it."""
    _act(
        acting_as,
        lambda conn, actor, now: entries.review(conn, actor, dataset, version, sm3, now, note),
        as_json=as_json,
    )


@entry.command("secrecy")
def secrecy(
    dataset: Dataset,
    version: Version,
    sm3: Sm3,
    acting_as: ActingAs,
    opinion: Annotated[str, typer.Option(help="Why it may, or may not, be published.")],
    passed: Annotated[bool, typer.Option("--passed/--failed", help="The outcome.")],
    impact: Annotated[str, typer.Option(help="Assessment of the impact on personal information.")] = "",
    as_json: AsJson = False,
) -> None:
    """Record a secrecy review; the last one of a version counts, at once."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        outcome = SecrecyOpinion(passed, opinion, impact)
        made = entries.secrecy_review(conn, actor, dataset, version, sm3, outcome, now)
    if as_json:
        show_json(shown_review(made))
    elif passed:
        say(f"{dataset} 第 {version} 版已通过保密审查。", f"version {version} of {dataset} has passed secrecy review.")
    else:
        say(f"{dataset} 第 {version} 版未通过保密审查。", f"version {version} of {dataset} has failed secrecy review.")


@entry.command("send-back")
def send_back(
    dataset: Dataset, version: Version, reasons: Reasons, acting_as: ActingAs, as_json: AsJson = False
) -> None:
    """Send a version back; it is corrected in a new one."""
    _act(
        acting_as,
        lambda conn, actor, now: entries.send_back(conn, actor, dataset, version, reasons, now),
        as_json=as_json,
    )


@entry.command("publish")
def publish(dataset: Dataset, version: Version, sm3: Sm3, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Put a reviewed version in force; by a third person."""
    _act(acting_as, lambda conn, actor, now: entries.publish(conn, actor, dataset, version, sm3, now), as_json=as_json)


@entry.command("withdraw")
def withdraw(dataset: Dataset, reasons: Reasons, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Take the version in force out of force; nothing of the dataset is released any more."""
    _act(acting_as, lambda conn, actor, now: entries.withdraw(conn, actor, dataset, reasons, now), as_json=as_json)


@entry.command("raise")
def raise_level(
    dataset: Dataset,
    field: Annotated[str, typer.Argument(help="Name of the field.")],
    level: Annotated[str, typer.Argument(help="1 to 4, important or core.")],
    reasons: Reasons,
    acting_as: ActingAs,
) -> None:
    """Raise the level of a field at once; it can only become stricter."""
    levels: dict[str, FieldLevel] = {"1": 1, "2": 2, "3": 3, "4": 4, "important": "important", "core": "core"}
    if level not in levels:
        raise typer.BadParameter(f"level must be one of {', '.join(levels)}")
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        entries.raise_level(conn, actor, dataset, field, levels[level], reasons, now)
    say(f"{dataset} 的字段 {field} 已升为 {level} 级。", f"field {field} of {dataset} is of level {level} now.")


# Reading -------------------------------------------------------------------------------------------------------------


@entry.command("show")
def show(
    dataset: Dataset,
    version: Annotated[int | None, typer.Option(min=1, help="By default the one in force, else the newest.")] = None,
    reading_as: ReadingAs = None,
) -> None:
    """Print an entry in JSON, with its SM3, where it stands and how its data fare."""
    with transaction() as conn:
        actor, now = _reader(conn, reading_as)
        show_json(shown_view(view_of(conn, dataset, sight_of(actor), now, version)))


@entry.command("list")
def list_entries(reading_as: ReadingAs = None, limit: Limit = 1000, as_json: AsJson = False) -> None:
    """List the entries one may know of, each as it stands."""
    _show_found("", Filters(), reading_as, limit, as_json=as_json)


@entry.command("search")
def search_entries(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    base: Annotated[list[str] | None, typer.Option(help="Of these bases only.")] = None,
    reading_as: ReadingAs = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Search as people type; the best first."""
    _show_found(text, Filters(base=tuple(base or ())), reading_as, limit, as_json=as_json)


@entry.command("versions")
def list_versions(dataset: Dataset, reading_as: ReadingAs = None, as_json: AsJson = False) -> None:
    """List the versions of an entry, the newest first."""
    with transaction() as conn:
        actor, _ = _reader(conn, reading_as)
        found = versions_for(conn, dataset, sight_of(actor))
    show_rows([shown_version(one) for one in found], as_json=as_json)


@entry.command("changes")
def show_changes(
    dataset: Dataset,
    first: Annotated[int, typer.Argument(min=1, help="Number of a version.")],
    second: Annotated[int, typer.Argument(min=1, help="Number of another.")],
    reading_as: ReadingAs = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions."""
    with transaction() as conn:
        actor, _ = _reader(conn, reading_as)
        found = changes_for(conn, dataset, sight_of(actor), first, second)
    show_rows(shown_changes(found), as_json=as_json)


# What commands share -------------------------------------------------------------------------------------------------


def _act(login: str, act: Callable[[Connection, Caller, datetime], EntryVersion], *, as_json: bool) -> None:
    with transaction() as conn:
        actor, now = _actor(conn, login)
        made = act(conn, actor, now)
    if as_json:
        show_json(shown_version(made))
        return
    say(
        f"{made.dataset} 目录条目第 {made.version} 版:{made.state}。SM3 {made.sm3}",
        f"version {made.version} of the entry of {made.dataset}: {made.state}. SM3 {made.sm3}",
    )


def _actor(conn: Connection, login: str) -> tuple[Caller, datetime]:
    now = datetime.now(UTC)
    return caller_of_login(conn, login, now), now


def _reader(conn: Connection, login: str | None) -> tuple[Caller, datetime]:
    return (PUBLIC, datetime.now(UTC)) if login is None else _actor(conn, login)


def _show_found(text: str, filters: Filters, login: str | None, limit: int, *, as_json: bool) -> None:
    with transaction() as conn:
        actor, _ = _reader(conn, login)
        found = search(conn, read_query(text), sight_of(actor), filters, limit=limit)
    if found.more:
        told = f"共 {found.total} 条,仅列出前 {limit} 条。", f"{found.total} in all, the first {limit} are listed."
        tell(told[0] if language() == "zh" else told[1])
    shown = [shown_hit(hit) for hit in found.hits]
    if as_json:
        show_json(shown)
        return
    spoken = language()
    show_rows(
        [
            {
                **{name: hit[name] for name in ("dataset", "version", "state")},
                "name": hit["name"][spoken],
                "organization": hit["organization"]["id"],
                **{name: hit[name] for name in ("level", "share", "open", "records")},
            }
            for hit in shown
        ],
        as_json=False,
    )


def _read(file: str) -> object:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return yaml.safe_load(text)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file}: not UTF-8 at byte {error.start}") from error
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{file}: not YAML: {' '.join(str(error).split())}") from error
