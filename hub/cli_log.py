"""hub log."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from hub.errors import PositionOutOfRange, TopicUnknown
from hub.exchange import position
from hub.exchange.log import TOPIC_PREFIX, Log
from hub.exchange.worker import GROUP
from hub.main import opened_log, opened_store
from hub.store.connect import connect
from hub.terminal import AsJson, say, settings_of, show_json, show_rows, tell

log = typer.Typer(help="The log: topics, what is unread, replay.", no_args_is_help=True)


@log.command("topics")
def list_topics(as_json: AsJson = False) -> None:
    """List the topics with their partitions."""
    settings = settings_of()
    with opened_store(settings, tell) as url, opened_log(settings, url) as opened:
        rows = [asdict(topic) for topic in opened.topics()]
    show_rows(rows, as_json=as_json)


@log.command("lag")
def show_lag(as_json: AsJson = False) -> None:
    """Show how far the workers are in each partition, and what is still unread."""
    settings = settings_of()
    with opened_store(settings, tell) as url, opened_log(settings, url) as opened:
        rows = [
            {
                "topic": one.topic,
                "partition": one.partition,
                "position": one.position,
                "unread": one.messages,
                "unread_bytes": one.unread_bytes,
            }
            for one in opened.lag(GROUP)
        ]
    show_rows(rows, as_json=as_json)


@log.command("replay")
def replay(
    dataset: Annotated[str, typer.Argument(help="Dataset id, as in 420000.resident.")],
    *,
    since: Annotated[
        datetime | None, typer.Option(help="From the first batch appended at or after this time (UTC).")
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Partition of --offset.")] = None,
    offset: Annotated[int | None, typer.Option(min=0, help="From this offset of one partition.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read a dataset's topic again from a time or an offset. Batches that have their receipt change nothing."""
    if (since is None) == (offset is None) or (offset is None) != (partition is None):
        raise typer.BadParameter("name --since, or --partition with --offset")
    settings, topic = settings_of(), TOPIC_PREFIX + dataset
    with opened_store(settings, tell) as url, opened_log(settings, url) as opened:
        found = next((one for one in opened.topics() if one.name == topic), None)
        if found is None:
            raise TopicUnknown(topic=topic)
        chosen = range(found.partitions) if partition is None else [partition]
        moves = {
            one: _checked(opened, topic, one, offset) if since is None else _offset_at(opened, topic, one, since)
            for one in chosen
        }
        with connect(url, "hub cli") as conn, conn.transaction():
            for one, following in moves.items():
                position.reset(conn, opened.name, topic, found.incarnation, one, GROUP, following)
    if as_json:
        show_json([{"topic": topic, "partition": one, "offset": following} for one, following in moves.items()])
    else:
        listed = ", ".join(f"{one}:{following}" for one, following in moves.items())
        say(f"{topic} 将从以下位置重放(分区:位置):{listed}", f"{topic} is read again from (partition:offset) {listed}")


def _offset_at(opened: Log, topic: str, partition: int, since: datetime) -> int:
    return opened.offset_at(topic, partition, since if since.tzinfo else since.replace(tzinfo=UTC))


def _checked(opened: Log, topic: str, partition: int, offset: int | None) -> int:
    """The offset, if the log still holds it."""
    first = opened.offset_at(topic, partition, datetime.fromtimestamp(0, UTC))
    if offset is None or offset < first:
        raise PositionOutOfRange(topic=topic, partition=partition, position=offset or 0, first_offset=first)
    return offset
