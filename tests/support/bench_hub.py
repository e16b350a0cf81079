"""A hub of a benchmark's own, and how much memory its processes took."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg

BIN = Path(sys.executable).parent
START_SECONDS_MAX = 90


class BenchHub:
    """A hub of the benchmark's own in a folder, and its resident memory over time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"HUB_DATA_FOLDER": str(folder / "hub"), "HUB_PORT": "0", "HUB_LANGUAGE": "en"}
        self.api_rss_max = 0
        self.worker_rss_max = 0
        self._stop = threading.Event()

    def run(self, *arguments: str) -> str:
        """One ``hub`` command; its standard output."""
        command = [str(BIN / "hub"), *arguments]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    @contextmanager
    def started(self) -> Generator[None]:
        """``hub start`` until the block ends."""
        port = free_port()
        self.environment["HUB_PORT"] = str(port)
        self.url = f"http://127.0.0.1:{port}"
        log = (self.folder / "hub.log").open("ab")
        process = subprocess.Popen([str(BIN / "hub"), "start"], env=self.environment, stdout=log, stderr=log)
        watcher = threading.Thread(target=self._watch, args=(process.pid,), daemon=True)
        try:
            self._wait_until_ready(process)
            watcher.start()
            yield
        finally:
            self._stop.set()
            process.send_signal(signal.SIGINT)
            process.wait(60)
            log.close()

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"{self.url}/v1/health/ready", timeout=2).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        sys.exit(f"the hub did not start; see {self.folder / 'hub.log'}")

    def _watch(self, root: int) -> None:
        """Sample resident memory twice a second, by role of the process."""
        while not self._stop.wait(0.5):
            try:
                for child in psutil.Process(root).children(recursive=True):
                    command = " ".join(child.cmdline())
                    rss = child.memory_info().rss
                    if "decoder_child" in command:
                        continue
                    if " worker" in command:
                        rss += sum(grandchild.memory_info().rss for grandchild in child.children())
                        self.worker_rss_max = max(self.worker_rss_max, rss)
                    elif " serve" in command:
                        self.api_rss_max = max(self.api_rss_max, rss)
            except psutil.NoSuchProcess:
                continue

    def database(self) -> psycopg.Connection:
        """A session on the hub's own store."""
        return psycopg.connect(self.database_url())

    def database_url(self) -> str:
        """The connection string of the hub's own store."""
        return str(json.loads(self.run("store", "status", "--json"))["url"])


def free_port() -> int:
    """A port nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
