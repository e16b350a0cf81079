"""The composition root's processes: what works until it is told to stop, put together from settings.

Apart from ``hub.main`` because it brings what takes long to load, and most commands need none of it. The HTTP door is
put together in ``hub.api.serve``.
"""

import os
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Final

from psycopg import Connection

from hub.errors import SettingWrong
from hub.exchange.apply.batch import SESSION_SETTINGS, Apply
from hub.exchange.decoder import Decoder
from hub.exchange.erasure_keys import commitment_key_of
from hub.exchange.intake import Intake
from hub.exchange.position import StoredPositions
from hub.exchange.retention import sweeping
from hub.exchange.worker import GROUP, Worker, keep_working
from hub.keys import FOLDER as KEYS_FOLDER
from hub.keys import Keys
from hub.lapsing import ending_lapsed
from hub.ledger.sealer import SESSION_SETTINGS as SEALER_SETTINGS
from hub.ledger.sealer import Sealer, keep_sealing
from hub.ledger.witness import Witness, keep_watching
from hub.ledger.witness_memory import alone
from hub.main import LEDGER_KEY, Tell, crypto_of, kafka_of, kept_store, keys_of, opened_log, utc_now, witness_file
from hub.observations import WorkerStarted, WorkerStopped, log_to_stderr, observe
from hub.settings import Settings
from hub.store.connect import connect
from hub.store.migrate import migrate
from schemas.batch import Limits

INFLATED_TO_BYTES: Final = 16  # what a batch may decompress to
LAPSING_SETTINGS: Final = {"statement_timeout": "30s"}  # sealing stalls behind whoever writes for longer


# Worker --------------------------------------------------------------------------------------------------------------


def run_worker(settings: Settings, tell: Tell, stopping: Callable[[], bool]) -> None:
    """Verify, decode, check and apply until told to stop, through any loss of the store."""
    log_to_stderr()
    crypto_of(settings)  # the worker verifies signatures, with a library that was tested
    with kept_store(settings, tell) as store:
        migrate(store.url)

        @contextmanager
        def opened() -> Generator[Worker]:
            store.look_after()
            with opened_worker(settings, store.url) as worker:
                yield worker

        keep_working(opened, stopping)


@contextmanager
def opened_worker(settings: Settings, url: str) -> Generator[Worker]:
    """One worker with all it is made of, while it runs. Made and used by one thread.

    Its sessions are in autocommit: where one that is not has only read, a transaction is open, and every block meant
    to be a transaction would be a savepoint in it that never commits.
    """
    member = f"{socket.gethostname()}-{os.getpid()}"
    with ExitStack() as parts:
        writer = parts.enter_context(closing(connect(url, "hub worker", autocommit=True, settings=SESSION_SETTINGS)))
        reader = parts.enter_context(closing(connect(url, "hub worker reads", autocommit=True)))
        log = parts.enter_context(opened_log(settings, url))
        consumer = parts.enter_context(closing(log.consumer(GROUP, member, StoredPositions(reader))))
        decoder = parts.enter_context(closing(decoder_of(settings)))
        parts.enter_context(sweeping(log, timedelta(hours=settings.log_retention_hours), utc_now))
        parts.enter_context(keeping_topic_access(settings, url))
        apply = Apply(
            writer,
            close_share_max=settings.keys_close_share_max,
            erasure_key=commitment_key_of(keys_of(settings)),
        )
        observe(WorkerStarted(member))
        yield Worker(writer, log.name, consumer, Intake(reader, settings.hub_id), decoder, apply)
        observe(WorkerStopped(member))


@contextmanager
def keeping_topic_access(settings: Settings, url: str) -> Generator[None]:
    """Keep the rules of departments at Kafka while the block lasts, where the settings say so.

    Raises:
        SettingWrong: there is no issuer whose clients they could be of, or no Kafka.
    """
    if not settings.kafka_access:
        yield
        return
    if settings.log != "kafka" or settings.oidc_issuer is None:
        missing = "HUB_LOG=kafka" if settings.log != "kafka" else "HUB_OIDC_ISSUER"
        raise SettingWrong(setting="HUB_KAFKA_ACCESS", problem=f"it needs {missing}")
    from hub.exchange.kafka_log_cluster import KafkaCluster  # its client takes long to load
    from hub.exchange.kafka_log_rules import KafkaRules
    from hub.topic_access import TopicAccess, keeping_access

    def opened() -> closing[Connection]:
        return closing(connect(url, "hub topic access", autocommit=True))

    with closing(KafkaCluster(kafka_of(settings))) as cluster:
        access = TopicAccess(KafkaRules(cluster, settings.kafka_user), settings.oidc_issuer)
        with keeping_access(opened, access):
            yield


# Ledger --------------------------------------------------------------------------------------------------------------


def run_sealer(settings: Settings, tell: Tell, stopping: Callable[[], bool]) -> None:
    """Seal the ledger, and write down which grants are over, until told to stop, through any loss of the store."""
    log_to_stderr()
    signer = keys_of(settings).signer(LEDGER_KEY)
    with kept_store(settings, tell) as store:
        migrate(store.url)

        @contextmanager
        def opened() -> Generator[Sealer]:
            store.look_after()
            with (
                closing(connect(store.url, "hub sealer", autocommit=True, settings=SEALER_SETTINGS)) as conn,
                closing(connect(store.url, "hub sealer reads", autocommit=True, settings=SEALER_SETTINGS)) as reader,
            ):
                yield Sealer(conn, reader, signer, utc_now)

        def beside() -> closing[Connection]:
            return closing(connect(store.url, "hub lapsing", autocommit=True, settings=LAPSING_SETTINGS))

        with ending_lapsed(beside, utc_now):
            keep_sealing(opened, stopping)


def run_witness(settings: Settings, name: str, tell: Tell, stopping: Callable[[], bool], ledger_pem: str = "") -> None:
    """Witness the ledger until told to stop. Key and memory are in the witness's own folder, not the hub's."""
    log_to_stderr()
    file = witness_file(settings, name)
    with alone(file), kept_store(settings, tell) as store:
        keys = Keys(file.parent / KEYS_FOLDER, crypto_of(settings))
        migrate(store.url)

        @contextmanager
        def opened() -> Generator[Connection]:
            store.look_after()
            with closing(connect(store.url, f"hub {name}", autocommit=True)) as conn:
                yield conn

        keep_watching(opened, Witness(name, keys.signer(name), file, ledger_pem), utc_now, stopping)


def decoder_of(settings: Settings) -> Decoder:
    """A decoding child within the settings' limits."""
    bytes_max = int(settings.batch_bytes_max)
    limits = Limits(
        bytes_max=bytes_max,
        records_max=settings.batch_records_max,
        inflated_bytes_max=INFLATED_TO_BYTES * bytes_max,
    )
    return Decoder(
        limits,
        memory_bytes_max=int(settings.decoder_memory_bytes_max),
        seconds_max=settings.decoder_seconds_max,
    )
