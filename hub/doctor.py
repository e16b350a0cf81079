"""The doctor looks at every part of a hub, changes nothing, and says of what is wrong what to do about it.

Parts are looked at one after the other, and one that cannot be looked at costs no other but those that stand on it.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import psycopg
from psycopg import Connection

from catalog import store as catalog_store
from hub import doctor_store
from hub.exchange.log import TOPIC_PREFIX
from hub.exchange.worker import GROUP
from hub.identity.errors import IssuerUnreachable
from hub.key_files import is_unused
from hub.keys import FOLDER as KEYS_FOLDER
from hub.ledger.standing import read_standing
from hub.listening import is_loopback
from hub.main import cluster_of, crypto_of, database_url_of, keys_of, opened_log, utc_now, witnesses_of
from hub.settings import Settings, unknown_variables
from hub.store.connect import connect, server_name
from hub.store.migrate import pending
from schemas.errors import HubError

State = Literal["sound", "look", "broken"]
POSTGRES_MIN: Final = 15
CLOCKS_APART_MAX: Final = timedelta(seconds=5)
DISK_FREE_MIN: Final = 2 * 1024**3
CONNECTIONS_SHARE_MAX: Final = 0.8
SESSION_SETTINGS: Final = {"statement_timeout": "10s", "default_transaction_read_only": "on"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of a part.

    Args:
        part: of the hub.
        state: ``sound``; ``look`` for what somebody should look at; ``broken`` for what keeps the hub from its work.
        zh: what was seen and what to do, in Chinese.
        en: in English.
    """

    part: str
    state: State
    zh: str
    en: str


Findings = Iterator[Finding]


def examine(settings: Settings, environment: Mapping[str, str] = os.environ) -> Findings:
    """Look at everything; the order is that in which parts stand on each other."""
    yield from _guarded("settings", lambda: _settings(settings, environment))
    yield from _guarded("keys", lambda: _keys(settings))
    yield from _guarded("disk", lambda: _disk(settings))
    yield from _guarded("issuer", lambda: _issuer(settings))
    found = list(_guarded("store", lambda: _store_is_there(settings)))
    yield from found
    if any(one.state == "broken" for one in found):
        return
    url = database_url_of(settings)
    with closing(connect(url, "hub doctor", autocommit=True, settings=SESSION_SETTINGS)) as conn:
        yield from _guarded("store", lambda: _server(conn))
        found = list(_guarded("store", lambda: _tables(conn)))
        yield from found
        if found:
            return
        yield from _guarded("store", lambda: _extensions(conn))
        yield from _guarded("log", lambda: _log(settings, conn, url))
        yield from _guarded("access", lambda: _access(settings))
        yield from _guarded("ledger", lambda: _ledger(settings, conn))
        yield from _guarded("exchange", lambda: _waiting(conn))


def _guarded(part: str, look: Callable[[], Findings]) -> Findings:
    """What a look at a part ends with where it cannot go on."""
    try:
        yield from look()
    except HubError as error:
        yield Finding(part, "broken", error.sentence("zh"), error.sentence("en"))
    except (OSError, psycopg.Error) as error:
        name = type(error).__name__
        yield Finding(part, "broken", f"无法查看:{name}", f"it cannot be looked at: {name}")


# What needs nothing else ---------------------------------------------------------------------------------------------


def _settings(settings: Settings, environment: Mapping[str, str]) -> Findings:
    misspelt = unknown_variables(environment)
    if misspelt:
        told = ", ".join(misspelt)
        zh, en = f"{told} 不是设置项,请核对拼写", f"{told}: no such setting; look for a misspelling"
        yield Finding("settings", "look", zh, en)
    if not is_loopback(settings.host):
        zh = f"服务地址 {settings.host} 不是本机;应在其前面设置 TLS"
        en = f"the door listens on {settings.host}, beyond this machine; put TLS in front of it"
        yield Finding("settings", "look", zh, en)
    if not misspelt and is_loopback(settings.host):
        yield Finding("settings", "sound", "已读取", "they can be read")


def _keys(settings: Settings) -> Findings:
    folder = settings.keys_folder or settings.data_folder / KEYS_FOLDER
    if not folder.exists() or is_unused(folder):
        crypto_of(settings)
        yield Finding("keys", "look", "尚无密钥,首次启动时生成", "there are none yet; they are made at the first start")
        return
    keys_of(settings)
    zh, en = f"{folder}:可用;请与数据库分开备份", f"{folder}: usable; back them up apart from the store"
    yield Finding("keys", "sound", zh, en)


def _disk(settings: Settings) -> Findings:
    place = settings.data_folder if settings.data_folder.exists() else settings.data_folder.absolute().parent
    free = shutil.disk_usage(place).free
    told = f"{free / 1024**3:.1f} GiB"
    if free < DISK_FREE_MIN:
        zh, en = f"仅剩 {told};请清理或扩容", f"{told} are free; make room before the store runs out of it"
        yield Finding("disk", "broken", zh, en)
    else:
        yield Finding("disk", "sound", f"剩余 {told}", f"{told} are free")


def _issuer(settings: Settings) -> Findings:
    from hub.identity.remote_keys import remote_keys  # brings an HTTP client

    if settings.oidc_issuer is None:
        yield Finding("issuer", "sound", "内置", "built in")
        return
    try:
        count = len(remote_keys(settings.oidc_issuer)())
    except IssuerUnreachable:
        zh = f"{settings.oidc_issuer} 没有应答;新令牌无法验证,请检查 Keycloak"
        en = f"{settings.oidc_issuer} does not answer; nobody unknown can sign in: look at Keycloak"
        yield Finding("issuer", "broken", zh, en)
    else:
        yield Finding("issuer", "sound", f"{count} 个签名密钥", f"{count} signing keys")


# Store ---------------------------------------------------------------------------------------------------------------


def _store_is_there(settings: Settings) -> Findings:
    if settings.database_url is None and not cluster_of(settings, lambda _: None).status().running:
        yield Finding(
            "store", "broken", "私有数据库未运行;执行 hub start", "the private cluster is down; run hub start"
        )
        return
    url = database_url_of(settings)
    connect(url, "hub doctor").close()
    yield Finding("store", "sound", f"{server_name(url)} 有应答", f"{server_name(url)} answers")


def _server(conn: Connection) -> Findings:
    found = doctor_store.read_server(conn)
    apart = abs(utc_now() - found.now)
    wrong: Sequence[tuple[bool, State, str, str]] = [
        (
            found.version_number < POSTGRES_MIN * 10_000,
            "broken",
            f"PostgreSQL 版本 {found.version_number // 10_000},需 {POSTGRES_MIN} 以上",
            f"PostgreSQL {found.version_number // 10_000}; the hub needs {POSTGRES_MIN} or later",
        ),
        (
            found.encoding != "UTF8" or found.locale == "C",
            "broken",
            f"编码 {found.encoding}、区域 {found.locale};须为 UTF8 且不为 C,否则中文检索为空",
            f"encoding {found.encoding}, locale {found.locale}; it must be UTF8 and not C, or no Chinese text is found",
        ),
        (
            "off" in {found.fsync, found.full_page_writes},
            "look",
            "fsync 或 full_page_writes 已关闭;断电会丢失已确认的批次",
            "fsync or full_page_writes is off; a power cut would lose what was acknowledged",
        ),
        (
            apart > CLOCKS_APART_MAX,
            "look",
            f"与数据库的时钟相差 {apart.total_seconds():.0f} 秒;请校时",
            f"its clock and this machine's are {apart.total_seconds():.0f} s apart; synchronise them",
        ),
        (
            found.connections > CONNECTIONS_SHARE_MAX * found.connections_max,
            "look",
            f"已用连接 {found.connections}/{found.connections_max};请调高 max_connections",
            f"{found.connections} of {found.connections_max} connections are used; raise max_connections",
        ),
    ]
    told = [Finding("store", state, zh, en) for holds, state, zh, en in wrong if holds]
    version = f"PostgreSQL {found.version_number // 10_000}.{found.version_number % 10_000}, {found.encoding}"
    yield from told or [Finding("store", "sound", version, version)]


def _tables(conn: Connection) -> Findings:
    """Only what is wrong with them: nothing that reads them is to be tried then."""
    missing = ", ".join(one.file for one in pending(conn))
    if missing:
        zh, en = f"表结构落后:{missing};执行 hub store migrate", f"the tables lack {missing}; run hub store migrate"
        yield Finding("store", "broken", zh, en)


def _extensions(conn: Connection) -> Findings:
    missing = ", ".join(doctor_store.missing_extensions(conn))
    if missing:
        zh, en = f"缺少扩展 {missing};请恢复", f"extensions are gone: {missing}; bring them back (CREATE EXTENSION)"
        yield Finding("store", "broken", zh, en)


# Log -----------------------------------------------------------------------------------------------------------------


def _log(settings: Settings, conn: Connection, url: str) -> Findings:
    with opened_log(settings, url) as log:
        topics = {one.name for one in log.topics()}
        lags = log.lag(GROUP)
    missing = [one.id for one in catalog_store.list_datasets(conn) if TOPIC_PREFIX + one.id not in topics]
    if missing:
        told = ", ".join(missing)
        zh, en = f"{told} 没有主题;再次执行 hub dataset add", f"{told} have no topic; run hub dataset add once more"
        yield Finding("log", "broken", zh, en)
    messages, waiting = sum(one.messages for one in lags), sum(one.unread_bytes for one in lags)
    if waiting > settings.log_backlog_bytes_max // 2:
        zh = f"积压 {messages} 条消息,超过上限的一半;请检查 hub worker 是否运行"
        en = f"{messages} messages wait, over half of what the door allows; see that hub worker runs"
        yield Finding("log", "look", zh, en)
    elif not missing:
        zh, en = f"{settings.log}:积压 {messages} 条消息", f"{settings.log}: {messages} messages wait"
        yield Finding("log", "sound", zh, en)


def _access(settings: Settings) -> Findings:
    """Departments at Kafka themselves, where the settings say that the hub keeps their rules."""
    if not settings.kafka_access:
        return
    from hub.exchange.kafka_log_cluster import KafkaCluster  # its client takes long to load
    from hub.exchange.kafka_log_rules import KafkaRules
    from hub.main import kafka_of

    with closing(KafkaCluster(kafka_of(settings))) as cluster:
        given = len(KafkaRules(cluster, settings.kafka_user).given())
    yield Finding("access", "sound", f"{given} 条访问规则", f"{given} access rules")


# Ledger and exchange -------------------------------------------------------------------------------------------------


def _ledger(settings: Settings, conn: Connection) -> Findings:
    standing = read_standing(conn, utc_now(), witnesses_of(settings), settings.ledger_stale_minutes)
    missing = ", ".join(standing.missing)
    wrong: Sequence[tuple[bool, State, str, str]] = [
        (
            standing.stale,
            "broken",
            "久未签发检查点,有条件共享已停止;请启动 hub ledger seal",
            "no head was signed for too long, so nothing conditional is released; run hub ledger seal",
        ),
        (
            standing.degraded and not standing.stale,
            "look",
            "三个周期未封存;请检查 hub ledger seal 是否运行",
            "nothing was sealed for three intervals; see that hub ledger seal runs",
        ),
        (
            standing.alarmed,
            "broken",
            "一日内有见证者报警;查看 hub ledger status,并保全账本",
            "a witness raised an alarm within a day; see hub ledger status, and keep the ledger as it is",
        ),
        (
            bool(missing),
            "look",
            f"见证者 {missing} 未签署;请检查 hub ledger witness",
            f"witness {missing} does not cosign; see that hub ledger witness runs",
        ),
    ]
    told = [Finding("ledger", state, zh, en) for holds, state, zh, en in wrong if holds]
    size = standing.head.size
    yield from told or [Finding("ledger", "sound", f"已封存 {size} 条", f"{size} leaves are sealed")]


def _waiting(conn: Connection) -> Findings:
    found = doctor_store.count_waiting(conn)
    wrong = [
        (
            found.refused_today,
            f"一日内拒收 {found.refused_today} 条无回执的消息;查看表 refused_message 中的原因",
            f"{found.refused_today} messages were refused without a receipt within a day; see table refused_message",
        ),
        (
            found.quarantined,
            f"{found.quarantined} 条记录待处理;hub quarantine list",
            f"{found.quarantined} records wait in quarantine; hub quarantine list",
        ),
        (
            found.subscriptions_failing,
            f"{found.subscriptions_failing} 个订阅因投递失败暂停;hub subscription list",
            f"{found.subscriptions_failing} subscriptions are paused for failing; hub subscription list",
        ),
    ]
    told = [Finding("exchange", "look", zh, en) for count, zh, en in wrong if count]
    yield from told or [Finding("exchange", "sound", "没有待处理的事项", "nothing waits for anybody")]
