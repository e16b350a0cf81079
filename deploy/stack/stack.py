"""The stack as a whole: PostgreSQL, Keycloak and Kafka on the loopback, kept under one folder.

========== =====================================================================
parts      what was fetched
postgres   a private cluster, as the hub's embedded default has it
keycloak   log and secrets; its database lies in its home under ``parts``
kafka      data, properties and logs of the brokers
stack.json what runs and where it listens; written before anything is waited for
hub.env    the settings by which a hub uses it
========== =====================================================================
"""

import fcntl
import json
import os
import time
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.stack import kafka, keycloak
from deploy.stack.errors import StackBusy, StackRunning
from deploy.stack.kafka import Broker
from deploy.stack.keycloak import Keycloak, kept_secret
from deploy.stack.parts import Parts, Tell, ready_parts
from deploy.stack.processes import Started, stop
from hub.store.address import free_port
from hub.store.cluster import Cluster

LOOPBACK = "127.0.0.1"
KEYCLOAK = "keycloak"
KEYCLOAK_PORT, HEALTH_PORT, KAFKA_PORT = 8180, 9000, 9092
PORTAL_URL = "http://127.0.0.1:8420"


@dataclass(slots=True)
class Standing:
    """What runs and where, as ``stack.json`` keeps it."""

    postgres: str = ""
    brokers: list[Broker] = field(default_factory=list)
    keycloak_port: int = 0
    admin_secret_file: str = ""
    health_port: int = 0
    processes: list[Started] = field(default_factory=list)

    @property
    def realm_url(self) -> str:
        return f"http://{LOOPBACK}:{self.keycloak_port}/realms/{keycloak.REALM}"

    def settings(self) -> dict[str, str]:
        """The hub's settings for its store, its log and its issuer."""
        return {
            "HUB_DATABASE_URL": self.postgres,
            "HUB_LOG": "kafka",
            "HUB_KAFKA_SERVERS": kafka.servers(self.brokers),
            "HUB_OIDC_ISSUER": self.realm_url,
            "HUB_OIDC_AUDIENCE": keycloak.AUDIENCE,
            "HUB_KEYCLOAK_SECRET_FILE": self.admin_secret_file,
        }


class Stack:
    """The stack of a folder."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder.resolve()
        self._tell = tell

    def start(self, brokers: int) -> Standing:
        """Start what does not run; nothing happens where everything does.

        Raises:
            StackError: in one sentence; what was started here is ended again.
        """
        with self._alone():
            standing = self.standing()
            standing.processes = [one for one in standing.processes if one.process() is not None]
            running = {one.name for one in standing.processes}
            whole = running >= {KEYCLOAK, *(one.name for one in standing.brokers)}
            if running and len(standing.brokers) != brokers:
                raise StackRunning(len(standing.brokers))
            parts = ready_parts(self._folder / "parts", self._tell)
            began = time.monotonic()
            if not running:
                standing = self._placed(brokers, standing)
            try:
                self._start_parts(parts, standing, running)
            except BaseException:
                stop([one for one in standing.processes if one.name not in running])
                if not running:
                    self._cluster().stop()
                    self._write(Standing())
                raise
            self._tell("it runs already" if whole else f"up after {time.monotonic() - began:.0f} s")
            return standing

    def stop(self) -> list[str]:
        """End exactly what was started here; returns the names."""
        if not self._folder.exists():
            return []
        with self._alone():
            ended = stop(self.standing().processes)
            if self._cluster().stop():
                ended.append("postgres")
            self._write(Standing())
            return ended

    def standing(self) -> Standing:
        """What was started last."""
        try:
            read = json.loads((self._folder / "stack.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Standing()
        read["brokers"] = [Broker(**one) for one in read["brokers"]]
        read["processes"] = [Started(**one) for one in read["processes"]]
        return Standing(**read)

    def _placed(self, brokers: int, before: Standing) -> Standing:
        """Ports for every part: those of the last time where they are free, the usual ones, or any."""
        taken: set[int] = set()

        def free(*wished: int) -> int:
            port = next((one for one in wished if one and one not in taken and free_port(one)), 0)
            while not port or port in taken:
                port = free_port(0)
            taken.add(port)
            return port

        old = {one.number: one for one in before.brokers}
        placed: list[Broker] = []
        for number in range(1, brokers + 1):
            known, usual = old.get(number, Broker(number, 0, 0, 0)), KAFKA_PORT + 10 * (number - 1)
            plain = free(known.plain, usual)
            placed.append(Broker(number, plain, free(known.tokens, usual + 2), free(known.controller, usual + 1)))
        return Standing(
            brokers=placed,
            keycloak_port=free(before.keycloak_port, KEYCLOAK_PORT),
            admin_secret_file=str(self._folder / KEYCLOAK / "hub-admin-secret"),
            health_port=free(before.health_port, HEALTH_PORT),
        )

    def _start_parts(self, parts: Parts, standing: Standing, running: Collection[str]) -> None:
        made = Keycloak(
            standing.keycloak_port,
            standing.health_port,
            kept_secret(self._folder / "keycloak" / "admin-password"),
            kept_secret(Path(standing.admin_secret_file)),
            PORTAL_URL,
        )
        if KEYCLOAK not in running:
            self._tell(f"starting Keycloak at {made.url}")
            standing.processes.append(keycloak.start_keycloak(parts, self._folder / KEYCLOAK, made, self._tell))
            self._write(standing)
        cluster = self._cluster()
        standing.postgres = cluster.enter()  # never left: it is to run on after this command, until it is stopped
        self._write(standing)
        keycloak.wait_until_ready(next(one for one in standing.processes if one.name == KEYCLOAK), made)
        dead = [one for one in standing.brokers if one.name not in running]
        if dead:
            self._tell(f"starting Kafka at {kafka.servers(dead)}")
            kafka.prepare(parts, self._folder / "kafka", standing.brokers, made.realm_url)
            started = kafka.start_brokers(parts, self._folder / "kafka", dead, made.realm_url)
            standing.processes += started
            self._write(standing)
            kafka.wait_until_up(started, dead)

    def _cluster(self) -> Cluster:
        return Cluster(self._folder / "postgres", on_port=True, tell=self._tell)

    def _write(self, standing: Standing) -> None:
        _replace(self._folder / "stack.json", json.dumps(asdict(standing), indent=2) + "\n")
        lines = (f"{name}={value}\n" for name, value in standing.settings().items() if standing.processes)
        _replace(self._folder / "hub.env", "".join(lines))

    @contextmanager
    def _alone(self) -> Generator[None]:
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StackBusy(str(self._folder)) from None
        finally:
            os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.rename(file)
