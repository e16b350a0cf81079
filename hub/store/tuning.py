"""The private cluster's settings, scaled to the memory and disk it may use. Measured on batches of 25,000 records."""

from dataclasses import dataclass
from pathlib import Path

import psutil

MEMORY_MB_MIN = 128
SHARED_BUFFERS_MB_MAX = 16_384
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Room:
    """What the cluster may use. ``memory_mb`` is planned with as a whole: half goes to shared buffers."""

    memory_mb: int
    disk_mb: int


def room_of(folder: Path, memory_mb: int | None) -> Room:
    """Half the machine's (or the container's) memory unless told, and what the folder's disk has free."""
    planned = memory_mb if memory_mb is not None else _machine_memory_mb() // 2
    return Room(max(planned, MEMORY_MB_MIN), psutil.disk_usage(str(folder)).free // MEGABYTE)


def settings_for(room: Room, *, durable: bool) -> dict[str, str]:
    """PostgreSQL's settings. ``durable=False`` is for clusters thrown away, never for one that acknowledges."""
    wal_mb = _between(room.disk_mb // 8, 256, 16_384)
    return {
        "shared_buffers": f"{_between(room.memory_mb // 2, 64, SHARED_BUFFERS_MB_MAX)}MB",
        "effective_cache_size": f"{room.memory_mb}MB",
        "work_mem": f"{_between(room.memory_mb // 64, 4, 64)}MB",
        "temp_buffers": f"{_between(room.memory_mb // 64, 8, 64)}MB",
        "maintenance_work_mem": f"{_between(room.memory_mb // 16, 32, 1024)}MB",
        "max_wal_size": f"{wal_mb}MB",
        "min_wal_size": f"{_between(wal_mb // 4, 80, 4096)}MB",
        "wal_buffers": f"{_between(room.memory_mb // 64, 4, 64)}MB",
        **_FIXED,
        **(_DURABLE if durable else _DISPOSABLE),
    }


# Backup and replication stay possible (wal_level). No message may carry a record's values: errors reach the hub, which
# logs their codes, and the server's own log keeps only what is above them (log_min_messages, terse, no statements).
_FIXED = {
    "wal_level": "replica",
    "wal_compression": "lz4",
    "checkpoint_timeout": "30min",
    "jit": "off",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",  # they need more /dev/shm than a container has
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
# Still proof against killed processes, not against a machine that stops.
_DISPOSABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}


def _machine_memory_mb() -> int:
    total_bytes = psutil.virtual_memory().total
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        limit = "max"
    return (min(total_bytes, int(limit)) if limit.isdecimal() else total_bytes) // MEGABYTE


def _between(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))
