"""What happens in the hub, as a closed set of events. Logs and metrics subscribe; no personal data in any of them.

``run`` is what follows a batch through all of it: the connector's run (or the partition, for single records) stands in
its report, in the envelope, in these events, in the receipt, and as ``trace_id`` in the ledger's leaf.
"""

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

_LOG = logging.getLogger("hub")


@dataclass(frozen=True, slots=True)
class BatchLogged:
    """The door made a batch durable in the log."""

    dataset: str
    organization: str
    batch: str
    run: str
    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BatchTaken:
    """A batch has its receipt, and the receipt its leaf."""

    dataset: str
    organization: str
    batch: str
    run: str
    leaf: str
    received: int
    accepted: int
    rejected: int
    pending: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """A batch was refused whole; where its envelope could not be read, it has neither batch nor run."""

    topic: str
    partition: int
    offset: int
    code: str
    batch: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class BatchRepeated:
    """A batch came again and had its receipt already."""

    topic: str
    partition: int
    offset: int
    batch: str
    run: str


@dataclass(frozen=True, slots=True)
class PendingResolved:
    """Records whose parents came were taken."""

    dataset: str
    taken: int


@dataclass(frozen=True, slots=True)
class PositionTaken:
    """Another worker moved a position first; this one's transaction was rolled back."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class StoreLost:
    """The store or the log does not answer; tried again after a pause."""

    error: str
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class TopicAccessChanged:
    """Rules of the log's cluster were given to clients of departments, or taken."""

    given: int
    taken: int


@dataclass(frozen=True, slots=True)
class TopicAccessFailed:
    """The rules could not be kept, for a reason nobody foresaw; tried again after a pause."""

    error: str
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker reads the log."""

    member: str


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker ended in order."""

    member: str


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request ended in an error nobody foresaw; the id is in the answer."""

    id: str
    method: str
    route: str
    error: str


@dataclass(frozen=True, slots=True)
class LedgerAlarmRaised:
    """The ledger is not as it should be: the sealer or a witness says what, in the ledger's alarms."""

    raised_by: str
    code: str


@dataclass(frozen=True, slots=True)
class GrantsLapsed:
    """Grants that were over by their dates were written down as ended."""

    ended: int


@dataclass(frozen=True, slots=True)
class LapsingFailed:
    """Grants that are over could not be written down as ended; it is tried again."""

    error: str


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A delivery to a subscriber failed; it is tried again."""

    subscription: str
    code: str


@dataclass(frozen=True, slots=True)
class SubscriptionPaused:
    """The hub paused a subscription by itself."""

    subscription: str
    why: str


Observation = (
    BatchLogged
    | BatchTaken
    | BatchRefused
    | BatchRepeated
    | PendingResolved
    | PositionTaken
    | StoreLost
    | WorkerStarted
    | TopicAccessChanged
    | TopicAccessFailed
    | WorkerStopped
    | RequestFailed
    | LedgerAlarmRaised
    | GrantsLapsed
    | LapsingFailed
    | DeliveryFailed
    | SubscriptionPaused
)


WARNINGS = (
    BatchRefused,
    StoreLost,
    TopicAccessFailed,
    RequestFailed,
    LedgerAlarmRaised,
    LapsingFailed,
    SubscriptionPaused,
)


def observe(event: Observation) -> None:
    """Log one event as a JSON line."""
    level = logging.WARNING if isinstance(event, WARNINGS) else logging.INFO
    _LOG.log(level, "%s", json.dumps({"event": type(event).__name__, **asdict(event)}, ensure_ascii=False))


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send the hub's log to standard error, a JSON object a line with its time."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    _LOG.handlers[:] = [handler]
    _LOG.setLevel(level)
    _LOG.propagate = False


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = record.getMessage()
        body = message[1:-1] if message.startswith("{") else f'"message": {json.dumps(message, ensure_ascii=False)}'
        return f'{{"at": "{at}", "level": "{record.levelname.lower()}", {body}}}'
