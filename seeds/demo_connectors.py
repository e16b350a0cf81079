"""The demo's connectors: configurations written for this hub, and their runs."""

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from seeds.demo_errors import CommandFailed, HubSilent
from seeds.demo_processes import Processes, program, tail
from seeds.demo_watch import Standing, Watch
from seeds.roster import Dataset

TEMPLATES = Path(__file__).parent / "connectors"
_LOOK_SECONDS, _STALLED_SECONDS = 0.5, 120

Report = Callable[[Dataset, Standing], None]


def configure(dataset: Dataset, folder: Path, base_url: str, token: Path) -> Path:
    """Write the dataset's connector for this hub, from its template in ``seeds/connectors``."""
    given: dict[str, Any] = yaml.safe_load((TEMPLATES / f"{dataset.name}.yaml").read_text(encoding="utf-8"))
    given["hub"] = base_url
    given["token"] = {"file": str(token)}
    file = folder / "connectors" / f"{dataset.name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(given, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


class Runs:
    """Connectors that run at once, and how far the hub is with what they send."""

    def __init__(self, processes: Processes, watch: Watch, folder: Path, still_running: Callable[[], None]) -> None:
        self._processes = processes
        self._watch = watch
        self._folder = folder
        self._still_running = still_running

    def fill(self, configurations: Mapping[Dataset, Path], report: Report) -> Mapping[Dataset, float]:
        """Run the connectors to their end and wait until the hub took all they sent; seconds for each dataset."""
        started = time.monotonic()
        running = {dataset: self._start(dataset, file) for dataset, file in configurations.items()}
        seconds: dict[Dataset, float] = {}
        last_change, received = started, -1
        while running:
            self._still_running()
            time.sleep(_LOOK_SECONDS)
            standings = {dataset: self._watch.standing(dataset) for dataset in running}
            now = time.monotonic()
            for dataset, standing in standings.items():
                report(dataset, standing)
                if running[dataset].poll() is not None and standing.lag == 0:
                    self._expect_success(dataset, running.pop(dataset))
                    seconds[dataset] = now - started
            total = sum(standing.received for standing in standings.values())
            if total != received:
                last_change, received = now, total
            elif now - last_change > _STALLED_SECONDS:
                names = ", ".join(dataset.name for dataset in running)
                raise HubSilent(_STALLED_SECONDS, f"receipts of {names}", tail(self._folder / "logs" / "hub.log"))
        return seconds

    def _start(self, dataset: Dataset, file: Path) -> "subprocess.Popen[bytes]":
        return self._processes.start([program("connector"), "run", "--once", str(file)], self._log(dataset))

    def _expect_success(self, dataset: Dataset, process: "subprocess.Popen[bytes]") -> None:
        if process.returncode != 0:
            raise CommandFailed(["connector", "run", dataset.name], process.returncode, tail(self._log(dataset)))

    def _log(self, dataset: Dataset) -> Path:
        return self._folder / "logs" / f"connector-{dataset.name}.log"
