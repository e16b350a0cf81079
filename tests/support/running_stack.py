"""The stack that ``make stack`` started, where tests are to use it: its ``hub.env`` is named by STACK_ENV."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from deploy.stack.stack import Stack

VARIABLE = "STACK_ENV"


def is_there() -> bool:
    """Whether tests are to use a stack."""
    return VARIABLE in os.environ


def settings() -> Mapping[str, str]:
    """The hub's settings for it."""
    lines = Path(os.environ[VARIABLE]).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def kafka_servers() -> str:
    """Where its Kafka is."""
    return settings()["HUB_KAFKA_SERVERS"]


def folder() -> Path:
    """Where the stack is kept."""
    return Path(os.environ[VARIABLE]).parent


def process(name: str = "kafka-1") -> psutil.Process:
    """A part's process, to be stopped or killed; ``revive`` brings it back."""
    standing = Stack(folder(), lambda _: None).standing()
    found = next(one.process() for one in standing.processes if one.name == name)
    assert found is not None
    return next(iter(found.children(recursive=True)), found)  # where a script started it, what the script started


def token_server() -> str:
    """Where its Kafka takes tokens of Keycloak."""
    return f"127.0.0.1:{Stack(folder(), lambda _: None).standing().brokers[0].tokens}"


def realm_url() -> str:
    """The issuer."""
    return Stack(folder(), lambda _: None).standing().realm_url


def secret(name: str) -> str:
    """One of Keycloak's secrets."""
    return (folder() / "keycloak" / name).read_text(encoding="ascii")


def revive() -> None:
    """Start again what does not run of the stack, as ``make stack`` does."""
    brokers = len(Stack(folder(), lambda _: None).standing().brokers)
    command = [sys.executable, "-m", "deploy.stack", "start", "--folder", str(folder()), "--brokers", str(brokers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def logs(*usual: str) -> list[str]:
    """The logs a test runs over: the usual ones, or the stack's Kafka where tests are to use a stack."""
    return ["kafka"] if is_there() else list(usual)


@contextmanager
def log_settings() -> Generator[dict[str, str]]:
    """The settings by which a hub keeps its log in the stack's Kafka, behind a prefix of its own; none without a stack.

    Its topics are removed afterwards.
    """
    if not is_there():
        yield {}
        return
    from hub.exchange.kafka_log_cluster import KafkaCluster, KafkaOptions

    options = KafkaOptions(kafka_servers(), prefix=f"test-{uuid4().hex[:12]}.")
    yield {"log": "kafka", "kafka_servers": options.servers, "kafka_prefix": options.prefix}
    with closing(KafkaCluster(options)) as cluster:
        for topic in cluster.topics():
            cluster.remove(topic.name)
