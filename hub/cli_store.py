"""hub store."""

from dataclasses import asdict

import typer

from catalog import store as catalog_store
from hub.exchange.apply.target import Target
from hub.exchange.registry_store import contract_of
from hub.main import cluster_of, opened_store
from hub.release.content import content_digest
from hub.store.cluster import Cluster
from hub.store.connect import server_name
from hub.store.migrate import migrate
from hub.supervise import stop_signals
from hub.terminal import AsJson, say, settings_of, show_json, show_rows, tell, transaction

store = typer.Typer(help="The store: PostgreSQL with PostGIS.", no_args_is_help=True)


@store.command("start")
def start_store() -> None:
    """Start the private cluster and keep it running until Ctrl-C."""
    settings = settings_of()
    with stop_signals() as stopping, opened_store(settings, tell) as url:
        say(f"数据库已启动:{server_name(url)};Ctrl-C 停止。", f"the store runs at {server_name(url)}; Ctrl-C stops it.")
        stopping.wait()


@store.command("stop")
def stop_store() -> None:
    """Stop the private cluster, whoever uses it."""
    cluster = _own_cluster()
    if cluster is None:
        say("使用的是外部数据库,由其管理员停止。", "HUB_DATABASE_URL names another server; stop it there.")
        raise typer.Exit(1)
    if cluster.stop():
        say("数据库已停止。", "the store has stopped.")
    else:
        say("数据库未在运行。", "the store was not running.")


@store.command("status")
def store_status(as_json: AsJson = False) -> None:
    """Tell whether the store runs, and where. Changes nothing."""
    settings = settings_of()
    if settings.database_url is not None:
        status: dict[str, object] = {"server": server_name(settings.database_url), "private": False}
    else:
        cluster = cluster_of(settings, tell)
        found = cluster.status()
        # The connection string holds no secret: it names the password file, which its owner alone can read.
        status = {"private": True, **asdict(found), "url": cluster.url() if found.running else None}
    if as_json:
        show_json(status)
    else:
        show_rows([{"what": name, "is": value} for name, value in status.items()], as_json=False)


@store.command("migrate")
def migrate_store(as_json: AsJson = False) -> None:
    """Bring the tables to what this version of the hub expects."""
    with opened_store(settings_of(), tell, migrated=False) as url:
        applied = [one.file for one in migrate(url)]
    if as_json:
        show_json(applied)
    elif applied:
        say(f"已执行:{', '.join(applied)}", f"applied: {', '.join(applied)}")
    else:
        say("表结构已是最新。", "the tables are up to date.")


@store.command("digest")
def digest_store(as_json: AsJson = False) -> None:
    """Show one SM3 over what each dataset holds: two stores with the same content show the same digests."""
    with transaction() as conn:
        rows = [
            {"dataset": one.id, "sm3": content_digest(conn, [Target(one.id, contract_of(conn, one))])}
            for one in catalog_store.list_datasets(conn)
        ]
    show_rows(rows, as_json=as_json)


def _own_cluster() -> Cluster | None:
    settings = settings_of()
    return None if settings.database_url is not None else cluster_of(settings, tell)
