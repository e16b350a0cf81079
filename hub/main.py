"""The composition root: reads nothing by itself, but from settings builds store, keys and log.

Nobody else knows which adapter stands behind a port. Processes are put together from the parts built here in
``hub.main_processes`` and, the HTTP door, in ``hub.api.serve``: commands need not wait for all that to load.
"""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

from hub.errors import SettingWrong
from hub.exchange.embedded_log import EmbeddedLog
from hub.exchange.log import Log
from hub.keys import FOLDER as KEYS_FOLDER
from hub.keys import Keys
from hub.settings import Settings
from hub.store.cluster import Cluster
from hub.store.connect import connect
from hub.store.errors import StoreUnreachable
from hub.store.migrate import migrate
from schemas.national.libcrypto import choose_libcrypto
from schemas.national.provider import SoftwareProvider
from schemas.national.self_test import self_test

if TYPE_CHECKING:
    from hub.exchange.kafka_log_cluster import KafkaOptions
    from hub.identity.keycloak_realm import KeycloakRealm

Tell = Callable[[str], None]
CLUSTER_FOLDER = "postgres"
LEDGER_KEY = "ledger"
KAFKA_OVERHEAD_BYTES = 1024 * 1024  # of a message beside its container: the envelope, and what Kafka adds


def utc_now() -> datetime:
    """The clock everything that serves is given."""
    return datetime.now(UTC)


# Store ---------------------------------------------------------------------------------------------------------------


def cluster_of(settings: Settings, tell: Tell) -> Cluster:
    """The private cluster of a data folder, as yet untouched."""
    return Cluster(settings.data_folder / CLUSTER_FOLDER, memory_mb=settings.postgres_memory_mb, tell=tell)


@contextmanager
def opened_store(settings: Settings, tell: Tell, *, migrated: bool = True) -> Generator[str]:
    """The store's connection string, while it is used: the private cluster runs as long as anyone is inside."""
    with kept_store(settings, tell) as store:
        if migrated:
            migrate(store.url)
        yield store.url


@dataclass(slots=True)
class KeptStore:
    """A store in use, and what brings it back when it was killed."""

    url: str
    cluster: Cluster | None

    def look_after(self) -> None:
        """Start the private cluster again if it does not answer; another server is its administrator's."""
        if self.cluster is None:
            return
        try:
            connect(self.url, "hub start").close()
        except StoreUnreachable:
            self.cluster.leave()
            self.url = self.cluster.enter()


@contextmanager
def kept_store(settings: Settings, tell: Tell) -> Generator[KeptStore]:
    """The store, whatever it is, while it is used."""
    if settings.database_url is not None:
        yield KeptStore(_with_password(settings, settings.database_url), None)
        return
    with cluster_of(settings, tell) as cluster:
        yield KeptStore(cluster.url(), cluster)


def database_url_of(settings: Settings) -> str:
    """The store's connection string, wherever it is; nothing is started.

    Raises:
        ClusterBroken: the private cluster was never started.
    """
    if settings.database_url is not None:
        return _with_password(settings, settings.database_url)
    return cluster_of(settings, lambda _: None).url()


def _with_password(settings: Settings, url: str) -> str:
    """The connection string, with the password of its file."""
    if settings.database_password_file is None:
        return url
    password = _secret("HUB_DATABASE_PASSWORD_FILE", settings.database_password_file)
    try:
        return make_conninfo(url, password=password)
    except ProgrammingError:  # its sentence would repeat the connection string
        raise SettingWrong(setting="HUB_DATABASE_URL", problem="it cannot be read") from None


def _secret(setting: str, file: Path) -> str:
    """What stands in a secret's file.

    Raises:
        SettingWrong: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingWrong(setting=setting, problem=type(error).__name__) from None


# Keys ----------------------------------------------------------------------------------------------------------------


def crypto_of(settings: Settings) -> SoftwareProvider:
    """National cryptography, tested: a process that cannot make the published vectors come out does not serve."""
    provider = SoftwareProvider(choose_libcrypto(settings.libcrypto))
    self_test(provider)
    return provider


def keys_of(settings: Settings) -> Keys:
    """The hub's own keys, made on first use."""
    return Keys(settings.keys_folder or settings.data_folder / KEYS_FOLDER, crypto_of(settings))


def keycloak_realm(settings: Settings) -> "KeycloakRealm":
    """The realm that is the hub's issuer, as the hub administers it.

    Raises:
        SettingWrong: the issuer is none, or the secret cannot be read.
    """
    from hub.identity.keycloak_realm import KeycloakRealm

    if settings.oidc_issuer is None or settings.keycloak_secret_file is None:
        missing = "HUB_OIDC_ISSUER" if settings.oidc_issuer is None else "HUB_KEYCLOAK_SECRET_FILE"
        raise SettingWrong(setting=missing, problem="it is needed to administer Keycloak")
    secret = _secret("HUB_KEYCLOAK_SECRET_FILE", settings.keycloak_secret_file)
    return KeycloakRealm(settings.oidc_issuer, settings.keycloak_client, secret)


# Log -----------------------------------------------------------------------------------------------------------------


@contextmanager
def opened_log(settings: Settings, url: str) -> Generator[Log]:
    """The log, while it is used."""
    backlog_bytes_max = int(settings.log_backlog_bytes_max)
    match settings.log:
        case "embedded":
            log: Log = EmbeddedLog(url, backlog_bytes_max=backlog_bytes_max)
        case "kafka":
            from hub.exchange.kafka_log import KafkaLog  # its client takes long to load, and most hubs have none

            log = KafkaLog(kafka_of(settings), url, backlog_bytes_max=backlog_bytes_max)
    with closing(log):
        yield log


def kafka_of(settings: Settings) -> "KafkaOptions":
    """How Kafka is reached.

    Raises:
        SettingWrong: the password cannot be read, or one is needed and not there.
    """
    from hub.exchange.kafka_log_cluster import KafkaOptions

    if settings.kafka_security.startswith("SASL"):
        for name, value in (("USER", settings.kafka_user), ("PASSWORD_FILE", settings.kafka_password_file)):
            if value is None:
                problem = f"it is needed with HUB_KAFKA_SECURITY={settings.kafka_security}"
                raise SettingWrong(setting=f"HUB_KAFKA_{name}", problem=problem)
    file = settings.kafka_password_file
    password = None if file is None else _secret("HUB_KAFKA_PASSWORD_FILE", file)
    return KafkaOptions(
        servers=settings.kafka_servers,
        security=settings.kafka_security,
        mechanism=settings.kafka_mechanism,
        user=settings.kafka_user,
        password=password,
        ca_file=None if settings.kafka_ca_file is None else str(settings.kafka_ca_file),
        prefix=settings.kafka_prefix,
        replication=settings.kafka_replication,
        message_bytes_max=int(settings.batch_bytes_max) + KAFKA_OVERHEAD_BYTES,
    )


def ready_topic(settings: Settings, topic: str, tell: Tell) -> None:
    """Make a dataset's topic in the log; nothing happens where it is there."""
    with opened_store(settings, tell) as url, opened_log(settings, url) as log:
        log.ensure_topic(topic, settings.log_partitions)


# Ledger --------------------------------------------------------------------------------------------------------------


def witnesses_of(settings: Settings) -> tuple[str, ...]:
    """The witnesses that should cosign, by name."""
    return tuple(name for name in settings.ledger_witnesses.split(",") if name)


def witness_file(settings: Settings, name: str) -> Path:
    """Where a witness remembers."""
    return settings.data_folder / "witnesses" / name / "seen.json"
