"""The hub's settings: environment variables ``HUB_…``, and beneath them the lines of ``hub.env`` in the data folder.

Nothing is read at import: the composition root calls ``read_settings`` once and hands on what it got.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.errors import SettingWrong

PREFIX = "HUB_"
LANGUAGE_VARIABLE = "HUB_LANGUAGE"  # of who types a command; no setting of the hub
FILE_NAME = "hub.env"
KIB, MIB, GIB = 1024, 1024**2, 1024**3


class Settings(BaseSettings):
    """Every setting with its default. Sizes take units: ``4MiB``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a wrong connection string may hold a password
        validate_default=True,
    )

    database_url: str | None = Field(
        default=None,
        repr=False,
        description="PostgreSQL with PostGIS to use, postgresql://…; without it the hub starts a private cluster.",
    )
    database_password_file: Path | None = Field(
        default=None, description="File with the password for database_url and nothing else, where that names none."
    )
    data_folder: Path = Field(
        default=Path(".hub"), description="Where the hub keeps its files: the private cluster, logs, hub.env."
    )
    keys_folder: Path | None = Field(
        default=None, description="Folder of the hub's own keys, its user's alone; by default keys in the data folder."
    )
    libcrypto: str | None = Field(
        default=None, description="File of the OpenSSL 3 library that signs (SM2); the machine's own by default."
    )
    hub_id: Annotated[str, Field(pattern=r"^\d{6}$")] = Field(
        default="420000", description="This hub's region code (GB/T 2260); datasets are named <hub_id>.<name>."
    )
    host: str = Field(default="127.0.0.1", description="Address the HTTP door listens on.")
    port: int = Field(default=8420, ge=0, le=65_535, description="Port the HTTP door listens on; 0 takes a free one.")
    metrics_port: int = Field(default=9420, ge=1, le=65_535, description="Port of hub metrics, on the door's address.")
    public_url: str | None = Field(
        default=None,
        description="Address callers reach the hub at, https://…; its built-in issuer is named after it. Without it "
        "http://<host>:<port>.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="OpenID issuer whose access tokens the hub takes, https://…; without it the hub's built-in one.",
    )
    oidc_audience: str = Field(default="hub", min_length=1, description="Audience an access token must be meant for.")
    keycloak_client: str = Field(
        default="hub-admin",
        min_length=1,
        description="Client by which the hub administers oidc_issuer where that is a realm of Keycloak.",
    )
    keycloak_secret_file: Path | None = Field(
        default=None, description="File with that client's secret and nothing else; without it nothing is administered."
    )
    log: Literal["embedded", "kafka"] = Field(
        default="embedded", description="The log: embedded keeps it in the database, kafka in a Kafka cluster."
    )
    kafka_servers: str = Field(
        default="127.0.0.1:9092",
        pattern=r"^[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5}(,[A-Za-z0-9.\[\]:_-]+:[0-9]{1,5})*$",
        description="Where Kafka is found, host:port, by commas.",
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How Kafka is spoken to."
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How the hub proves who it is where kafka_security begins with SASL."
    )
    kafka_user: str | None = Field(default=None, description="The hub's principal in Kafka.")
    kafka_password_file: Path | None = Field(
        default=None, description="File with that principal's password and nothing else."
    )
    kafka_ca_file: Path | None = Field(
        default=None, description="Certificates of authorities that are trusted for Kafka (PEM); the system's without."
    )
    kafka_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,60}$",
        description="Put before the name of every topic and group, where hubs share a Kafka cluster.",
    )
    kafka_replication: int = Field(default=1, ge=1, le=7, description="Copies of a new topic's messages in Kafka.")
    kafka_access: bool = Field(
        default=False,
        description="Whether workers keep Kafka's access rules: an organization's clients of oidc_issuer may write to "
        "its datasets' topics, subscribers read theirs, and every other rule that names such a topic is removed.",
    )
    log_partitions: int = Field(default=2, ge=1, le=256, description="Partitions of a new dataset's topic.")
    log_retention_hours: int = Field(
        default=168, ge=1, description="How long the log keeps messages that every group has read."
    )
    log_backlog_bytes_max: ByteSize = Field(
        default=ByteSize(GIB), ge=MIB, description="Unread bytes of a topic beyond which the door answers 503."
    )
    batch_bytes_max: ByteSize = Field(
        default=ByteSize(4 * MIB), ge=KIB, le=64 * MIB, description="Largest container file of a batch."
    )
    batch_records_max: int = Field(default=50_000, ge=1, le=1_000_000, description="Most records in a batch.")
    workers: int = Field(default=2, ge=0, le=256, description="Worker processes that apply batches.")
    wait_seconds_max: int = Field(
        default=30, ge=0, le=300, description="Longest wait for a receipt granted to Prefer: wait."
    )
    waiting_max: int = Field(
        default=200, ge=0, description="Requests that may wait for a receipt at once; others get 202."
    )
    decoder_memory_bytes_max: ByteSize = Field(
        default=ByteSize(2 * GIB), ge=256 * MIB, description="Address space of the process that decodes batches."
    )
    decoder_seconds_max: int = Field(
        default=60, ge=1, description="Longest time for decoding and checking one batch; then it is refused."
    )
    keys_close_share_max: float = Field(
        default=0.05, ge=0, le=1, description="Share of a dataset a key list may close without being confirmed."
    )
    ledger_witnesses: str = Field(
        default="witness-1,witness-2",
        pattern=r"^([a-z][a-z0-9-]{0,39}(,[a-z][a-z0-9-]{0,39}){0,7})?$",
        description="Names of the witnesses that should cosign the ledger's checkpoints; hub start runs them, "
        "each with a folder of its own under witnesses in the data folder.",
    )
    ledger_stale_minutes: int = Field(
        default=15,
        ge=1,
        le=1440,
        description="Minutes without a signed head of the ledger after which nothing conditional is released and "
        "nothing approved.",
    )
    exports_max: int = Field(default=4, ge=1, le=64, description="Whole-dataset exports a door streams at once.")
    export_transaction_seconds_max: int = Field(
        default=60,
        ge=1,
        le=3600,
        description="Longest a part of an export may hold a transaction open, which holds back vacuum; then it is cut.",
    )
    export_stall_seconds_max: int = Field(
        default=60, ge=1, le=3600, description="Longest an export waits for a reader to take anything; then it is cut."
    )
    export_kept_days: int = Field(
        default=7, ge=1, le=366, description="How long it is told how an export went and where it can go on."
    )
    subscriptions_max: int = Field(
        default=100, ge=0, description="Subscriptions that have not ended which a subscriber may have."
    )
    dispatchers: int = Field(default=1, ge=0, le=64, description="Processes that deliver to subscriptions.")
    dispatch_threads: int = Field(
        default=4, ge=1, le=64, description="Deliveries a dispatcher has under way, each to another subscription."
    )
    push_seconds_max: int = Field(default=10, ge=1, le=25, description="Longest time for a push and its answer.")
    push_failures_max: int = Field(
        default=20, ge=1, le=1000, description="Pushes that may fail in a row before a subscription is paused."
    )
    push_ports_allowed: str = Field(
        default="443,8443", pattern=r"^[0-9]{1,5}(,[0-9]{1,5})*$", description="Ports that may be pushed to, by commas."
    )
    push_networks_allowed: str = Field(
        default="",
        description="Networks pushed to although they are not public, as the government's own: CIDR, by commas.",
    )
    push_ca_file: Path | None = Field(
        default=None, description="Certificates of authorities that are trusted for pushes beside the system's (PEM)."
    )
    postgres_memory_mb: int | None = Field(
        default=None, ge=128, description="Memory the private cluster plans with, in MB; half the machine's by default."
    )

    @field_validator("push_networks_allowed")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for text in value.split(",") if value else ():
            ip_network(text)  # a ValueError says what is wrong
        return value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        is_loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if not parts.hostname or parts.query or parts.fragment or parts.username or value.endswith("/"):
            raise ValueError("must be an address without user, query and final slash")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
            raise ValueError("must begin with https://, or http:// on the machine itself")
        return value

    @field_validator("data_folder", "keys_folder")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()


def read_settings(**given: object) -> Settings:
    """The settings. ``given`` (from the command line) goes before the environment, the environment before the file."""
    try:
        folder = (
            given.get("data_folder")
            or os.environ.get(f"{PREFIX}DATA_FOLDER")
            or Settings.model_fields["data_folder"].default
        )
        file = Path(str(folder)).expanduser() / FILE_NAME
        return Settings(_env_file=file, **given)  # pyright: ignore[reportArgumentType, reportCallIssue]  # names checked by pydantic
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"{PREFIX}{'_'.join(str(part) for part in first['loc'])}".upper()
        raise SettingWrong(setting=name, problem=first["msg"]) from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: most often misspelt."""
    known = {LANGUAGE_VARIABLE, *(f"{PREFIX}{name}".upper() for name in Settings.model_fields)}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
