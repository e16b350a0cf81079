"""The demo: a hub of its own in ``.demo``, filled through connectors with eleven datasets of seven organizations.

``make demo``, or ``python -m seeds.demo --residents 100000 --exit``. It uses the hub as anybody would, through the
command lines and over HTTP. A second run continues where the first stopped.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from seeds import demo_setup, generate
from seeds.demo_connectors import Runs, configure
from seeds.demo_errors import DemoError, HubSilent, HubStopped
from seeds.demo_processes import LOOPBACK, Processes, free_port, program, tail
from seeds.demo_summary import Language, Outcome, show_next, show_reasons, show_receipts
from seeds.demo_watch import Reason, Standing, Watch, wait_until_healthy
from seeds.demo_way_out import WayOut
from seeds.roster import DATASETS, Dataset

PORT = 8420
READY_SECONDS = 180  # installing PostgreSQL included
OK, DIFFERENT, FAILED, INTERRUPTED = 0, 1, 1, 130


@dataclass(frozen=True, slots=True)
class Settings:
    residents: int
    folder: Path
    stay: bool
    language: Language
    port: int

    @property
    def sources(self) -> Path:
        return self.folder / "sources"

    def say(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en


class Demo:
    """One run of the demo."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._base_url = f"http://{LOOPBACK}:{free_port(settings.port)}"
        self._hub: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """From nothing to the summary; the exit code."""
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        environment = self._environment()
        demo_setup.write_settings(environment)
        with Processes(environment) as processes:
            started = time.monotonic()
            self._hub = processes.start([program("hub"), "start"], self._log)
            expected = self._prepare(environment)
            outcomes, reasons = self._fill(processes, expected)
            code = self._summarize(outcomes, reasons, time.monotonic() - started)
            WayOut(self._console, self._settings.say, self._base_url, self._settings.folder, environment).run()
            if self._settings.stay:
                self._stay()
            return code

    @property
    def _log(self) -> Path:
        return self._settings.folder / "logs" / "hub.log"

    def _environment(self) -> Mapping[str, str]:
        port = self._base_url.rsplit(":", 1)[1]
        folder = str(self._settings.folder / "hub")
        return os.environ | {"HUB_DATA_FOLDER": folder, "HUB_HOST": LOOPBACK, "HUB_PORT": port}

    def _prepare(self, environment: Mapping[str, str]) -> Mapping[str, Any]:
        """Data and registrations, side by side; returns what the generator promises."""
        say, show = self._settings.say, self._console.print
        plan = generate.plan_for(self._settings.residents)
        with ThreadPoolExecutor(1) as pool, self._console.status("") as status:
            generated = pool.submit(generate.generate, self._settings.sources, plan, lambda _: None)
            status.update(say("启动枢纽、生成数据", "starting the hub, generating data"))
            if not wait_until_healthy(self._base_url, self._still_running, READY_SECONDS):
                raise HubSilent(READY_SECONDS, self._base_url, tail(self._log))
            show(say(f"枢纽已启动:{self._base_url}", f"The hub is up: {self._base_url}"))
            demo_setup.register(self._settings.folder, environment, status.update)
            show(say("已登记 7 个单位、11 项数据资源", "Seven organizations and eleven datasets are registered"))
            status.update(say("生成数据", "generating data"))
            expected = generated.result()
        show(say(f"数据在 {self._settings.sources}", f"The departments' data is in {self._settings.sources}"))
        return expected["datasets"]

    def _fill(self, processes: Processes, expected: Mapping[str, Any]) -> tuple[Sequence[Outcome], Counter[Reason]]:
        folder = self._settings.folder
        tokens = demo_setup.token_files(folder)
        watch = Watch(self._base_url, tokens)
        runs = Runs(processes, watch, folder, self._still_running)
        before = {dataset: watch.standing(dataset) for dataset in DATASETS}
        seconds: dict[Dataset, float] = {}
        with self._progress() as progress:
            tasks = {
                dataset: progress.add_task(dataset.id, total=expected[dataset.name]["received"]) for dataset in DATASETS
            }

            def report(dataset: Dataset, standing: Standing) -> None:
                progress.update(tasks[dataset], completed=standing.received)

            for wave in sorted({dataset.wave for dataset in DATASETS}):
                chosen = [dataset for dataset in DATASETS if dataset.wave == wave]
                files = {one: configure(one, folder, self._base_url, tokens[one.organization]) for one in chosen}
                seconds |= runs.fill(files, report)
        outcomes: list[Outcome] = []
        reasons: Counter[Reason] = Counter()
        for dataset in DATASETS:
            now = watch.standing(dataset)
            received = now.received - before[dataset].received
            outcomes.append(Outcome(dataset, now, received, seconds[dataset], expected[dataset.name]))
            reasons += watch.reasons(dataset)
        watch.close()
        return outcomes, reasons

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console, transient=True)

    def _summarize(self, outcomes: Sequence[Outcome], reasons: Counter[Reason], seconds: float) -> int:
        say, language, console = self._settings.say, self._settings.language, self._console
        show_receipts(console, outcomes, language)
        show_reasons(console, reasons, language)
        show_next(console, self._base_url, demo_setup.token_files(self._settings.folder), outcomes, language)
        console.print(say(f"用时 {seconds:.0f} 秒", f"{seconds:.0f} s in all"))
        different = [outcome.dataset.id for outcome in outcomes if outcome.differs]
        if different:
            names = ", ".join(different)
            zh, en = f"与预期不符:{names}", f"Other counts than expected: {names}"
            console.print(say(zh, en), style="bold red")
        return DIFFERENT if different else OK

    def _stay(self) -> None:
        zh, en = "枢纽继续运行,按 Ctrl-C 停止。", "The hub keeps running; Ctrl-C stops it."
        self._console.print(self._settings.say(zh, en))
        while True:
            self._still_running()
            time.sleep(1)

    def _still_running(self) -> None:
        if self._hub is not None and (code := self._hub.poll()) is not None:
            raise HubStopped(code, tail(self._log))


def _language() -> Language:
    first = next((os.environ[name] for name in ("HUB_LANGUAGE", "LC_ALL", "LANG") if os.environ.get(name)), "")
    return "zh" if first.lower().startswith("zh") else "en"


def _read_arguments() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--residents", type=int, default=generate.RESIDENTS, help="a fifth as many legal persons")
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where everything of the demo is kept")
    parser.add_argument("--exit", action="store_true", help="end after the summary; 1 when anything went wrong")
    parser.add_argument("--port", type=int, default=PORT, help="the hub's, or a free one where it is taken; 0: any")
    given = parser.parse_args()
    return Settings(given.residents, given.folder.absolute(), not given.exit, _language(), given.port)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run it; whatever happens, nothing of it stays running."""
    settings, console = _read_arguments(), Console()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs begin with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        return Demo(settings, console).run()
    except KeyboardInterrupt:
        console.print(settings.say("已停止。", "Stopped."))
        return OK if settings.stay else INTERRUPTED
    except (DemoError, generate.PlanDiffers) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
