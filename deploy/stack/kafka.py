"""Kafka in KRaft mode: one broker, or three for what needs a leader that can change.

Each broker is its cluster's controller too and listens three times on the loopback: plainly for the hub, for
departments with tokens of Keycloak (SASL/OAUTHBEARER), and for its like. The principal of a token is its client
(``azp``); without an access rule for it a client may do nothing.
"""

import base64
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import OtherCluster, PartFailed
from deploy.stack.keycloak import AUDIENCE
from deploy.stack.parts import Parts
from deploy.stack.processes import Started, start

LOOPBACK = "127.0.0.1"
READY_SECONDS = 60
STARTED = "Kafka Server started"
_LOG4J = Path(__file__).parent / "log4j2.xml"
_HEAP = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=128m")
_FORMAT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker: its number from 1, and the ports it listens on."""

    number: int
    plain: int
    tokens: int
    controller: int

    @property
    def name(self) -> str:
        return f"kafka-{self.number}"


def servers(brokers: Sequence[Broker]) -> str:
    """Where clients begin: the plain listeners."""
    return ",".join(f"{LOOPBACK}:{one.plain}" for one in brokers)


def prepare(parts: Parts, folder: Path, brokers: Sequence[Broker], realm_url: str) -> None:
    """Write every broker's properties, and format them where the cluster is new.

    Raises:
        OtherCluster: it is there, with another number of brokers.
        PartFailed: a broker's folder cannot be formatted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for broker in brokers:
        text = _properties(broker, brokers, folder, realm_url)
        (folder / f"{broker.name}.properties").write_text(text, encoding="utf-8")
    _format(parts, folder, brokers)


def start_brokers(parts: Parts, folder: Path, brokers: Sequence[Broker], realm_url: str) -> list[Started]:
    """Start brokers that are prepared. They are not up yet; Keycloak must be: its keys are fetched at start."""
    started: list[Started] = []
    for broker in brokers:
        command = [
            *(parts.java, *_HEAP, f"-Dlog4j.configurationFile={_LOG4J}"),
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={_keys_url(realm_url)}",
            *("-cp", f"{parts.libs}/*", "kafka.Kafka", str(folder / f"{broker.name}.properties")),
        ]
        started.append(start(broker.name, command, folder, {"PATH": "/usr/bin:/bin"}))
    return started


def wait_until_up(started: Sequence[Started], brokers: Sequence[Broker]) -> None:
    """Wait until every broker serves.

    Raises:
        PartFailed: one ended, or is not up in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    for one, broker in zip(started, brokers, strict=True):
        while STARTED not in Path(one.log).read_text(encoding="utf-8", errors="replace") or not _answers(broker.plain):
            if one.process() is None:
                raise PartFailed(one.name, "ended", one.log_tail())
            if time.monotonic() > deadline:
                raise PartFailed(one.name, f"was not up after {READY_SECONDS} s", one.log_tail())
            time.sleep(0.2)


def _format(parts: Parts, folder: Path, brokers: Sequence[Broker]) -> None:
    """Format all brokers of a new cluster; a cluster half formatted is formatted anew."""
    mark = folder / "formatted"
    if mark.exists():
        formatted = mark.read_text(encoding="ascii")
        if formatted != str(len(brokers)):
            raise OtherCluster(str(folder), formatted)
        return
    for old in folder.glob("kafka-*.data"):
        shutil.rmtree(old)
    cluster, directories = _uuid(), {broker.number: _uuid() for broker in brokers}
    voters = ",".join(f"{one.number}@{LOOPBACK}:{one.controller}:{directories[one.number]}" for one in brokers)
    for broker in brokers:
        command = [
            *(parts.java, f"-Dlog4j.configurationFile={_LOG4J}", "-cp", f"{parts.libs}/*"),
            *("kafka.tools.StorageTool", "format", "--cluster-id", cluster),
            *("--initial-controllers", voters, "--config", str(folder / f"{broker.name}.properties")),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False)
        if done.returncode != 0:
            raise PartFailed(broker.name, "could not be formatted", (done.stdout + done.stderr)[-1500:])
    mark.write_text(str(len(brokers)), encoding="ascii")


def _keys_url(realm_url: str) -> str:
    return f"{realm_url}/protocol/openid-connect/certs"


def _properties(broker: Broker, brokers: Sequence[Broker], folder: Path, realm_url: str) -> str:
    listeners = f"PLAINTEXT://{LOOPBACK}:{broker.plain},SASL://{LOOPBACK}:{broker.tokens}"
    copies = min(3, len(brokers))
    in_sync = max(1, copies - 1)
    values = {
        "process.roles": "broker,controller",
        "node.id": broker.number,
        "controller.quorum.bootstrap.servers": ",".join(f"{LOOPBACK}:{one.controller}" for one in brokers),
        "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{broker.controller}",
        "advertised.listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{broker.controller}",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
        "log.dirs": folder / f"{broker.name}.data",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16_777_216,
        "auto.create.topics.enable": "false",
        "message.max.bytes": 8_388_608,
        # Tokens: what a client may do, its access rules say; the hub's own listener is the loopback's.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
        "sasl.enabled.mechanisms": "OAUTHBEARER",
    }
    own = "listener.name.sasl"
    of_tokens = f"{own}.oauthbearer.sasl.oauthbearer"
    security = "org.apache.kafka.common.security.oauthbearer"
    values |= {
        f"{own}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{own}.oauthbearer.sasl.server.callback.handler.class": f"{security}.OAuthBearerValidatorCallbackHandler",
        f"{own}.oauthbearer.sasl.jaas.config": f"{security}.OAuthBearerLoginModule required ;",
        f"{of_tokens}.jwks.endpoint.url": _keys_url(realm_url),
        f"{of_tokens}.expected.audience": AUDIENCE,
        f"{of_tokens}.expected.issuer": realm_url,
        f"{of_tokens}.sub.claim.name": "azp",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _uuid() -> str:
    """A random id as Kafka writes them: 16 bytes, base64url, never with a hyphen in front."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        if re.match(r"[A-Za-z0-9]", text):
            return text


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
