"""kill -9 at any moment of the demo, then a restart: the same stored content, by digest.

What is killed and when comes from the seed. Six seeds of two kills run by default, each kind of process first in one of
them; ``FAULT_SEEDS=12`` runs twelve. Each run gets a hub and connectors of its own and the same department files, and
ends when the demo itself says that every count is what the generator promised.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from seeds.demo_processes import Processes, free_port, program
from seeds.demo_setup import register
from seeds.demo_watch import wait_until_healthy
from seeds.generate import generate, plan_for

RESIDENTS = 2_000
SECONDS_MAX = 150  # of one run of the demo on a busy machine
RUNS_MAX = 4
KILLS = 2  # in one run
ITEMS_BEFORE_MAX = 9  # of ten files; while the last is under way everything that can be killed still runs
FIRST_SEED = 20261125
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("FAULT_SEEDS", "6")))

KINDS: dict[str, Callable[[list[str]], bool]] = {
    "worker": lambda command: command[-2:] == ["worker", "--supervised"],
    "postgres": lambda command: "postgres" in Path(command[0]).name and "-D" in command,
    "connector": lambda command: Path(command[1]).name == "connector" if len(command) > 1 else False,
    "api": lambda command: command[-2:] == ["serve", "--supervised"],
    "decoder": lambda command: "hub.exchange.decoder_child" in command,
    "hub": lambda command: len(command) > 2 and Path(command[1]).name == "hub" and command[2] == "start",
}


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: where it began, and what it stored."""

    template: Path
    digests: dict[str, str]


def start_demo(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "seeds.demo", "--residents", str(RESIDENTS), "--folder", str(folder)]
    command += ["--port", "0", "--exit"]
    with (folder / "demo.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def digests(folder: Path) -> dict[str, str]:
    """Of every dataset, as ``hub store digest`` tells them."""
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", "store", "digest", "--json"],
        env={**os.environ, "HUB_DATA_FOLDER": str(folder / "hub")},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return {one["dataset"]: one["sm3"] for one in json.loads(done.stdout)}


def of_this_run(folder: Path) -> list[psutil.Process]:
    """Every process that belongs to the run: by what its environment or command says of the folder."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in one for one in told):
            found.append(process)
            with contextlib.suppress(psutil.Error):  # the decoding child is told nothing of folders
                found += [child for child in process.children(recursive=True) if child not in found]
    return list(dict.fromkeys(found))


def victims(folder: Path, kind: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in of_this_run(folder):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command and KINDS[kind](command):
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


def kill_one(folder: Path, kind: str, rng: random.Random, demo: "subprocess.Popen[bytes]") -> bool:
    """kill -9 one process of the kind, waiting for the first to appear; False when the demo ended before."""
    deadline = time.monotonic() + SECONDS_MAX
    while demo.poll() is None and time.monotonic() < deadline:
        found = victims(folder, kind)
        if found:
            rng.choice(found).kill()
            return True
        time.sleep(0.02)
    return False


def items_done(folder: Path) -> int:
    """How many of the departments' files were put away: the run's clock, whatever the machine's speed."""
    return sum(1 for _ in folder.glob("sources/*/done/*.report.json"))


def wait(demo: "subprocess.Popen[bytes]") -> int:
    try:
        return demo.wait(SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(demo.pid, signal.SIGKILL)
        raise


def prepare(folder: Path) -> None:
    """A hub with organizations and datasets, not running, and the departments' files: where every run begins."""
    generate(folder / "sources", plan_for(RESIDENTS), lambda _: None)
    port = free_port(0)
    environment = os.environ | {"HUB_DATA_FOLDER": str(folder / "hub"), "HUB_PORT": str(port)}
    with Processes(environment) as processes:
        hub = processes.start([program("hub"), "start"], folder / "logs" / "hub.log")

        def still_running() -> None:
            assert hub.poll() is None, (folder / "logs" / "hub.log").read_text()

        assert wait_until_healthy(f"http://127.0.0.1:{port}", still_running, SECONDS_MAX)
        register(folder, environment, lambda _: None)


def copy_of(template: Path, folder: Path) -> Path:
    """The template elsewhere, with its times (what has no version of its own has theirs) and its owners."""
    subprocess.run(["/bin/cp", "-a", f"{template}/.", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    template, folder = tmp_path_factory.mktemp("template"), tmp_path_factory.mktemp("demo")
    prepare(template)
    demo = start_demo(copy_of(template, folder))
    assert wait(demo) == 0, (folder / "demo.log").read_text()
    yield Reference(template, digests(folder))
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(template, ignore_errors=True)


@dataclass(frozen=True)
class Kill:
    """What is killed, how many files are done by then, and how long after the last of them."""

    kind: str
    done: int
    seconds_after: float


def kills_of(seed: int) -> list[Kill]:
    """Each kind of process comes first once in six seeds; the second kill is of any other, later."""
    rng = random.Random(seed)
    first = list(KINDS)[(seed - FIRST_SEED) % len(KINDS)]
    kinds = [first, rng.choice([kind for kind in KINDS if kind != first])]
    moments = sorted(rng.sample(range(ITEMS_BEFORE_MAX), KILLS))
    return [Kill(kind, done, rng.uniform(0, 1)) for kind, done in zip(kinds, moments, strict=True)]


class Run:
    """One demo, started again as often as a kill ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.codes: list[int] = []
        self._demo = start_demo(folder)

    def go_on(self) -> bool:
        """Whether it runs, if need be again; False when it has come to its end."""
        code = self._demo.poll()
        if code is None:
            return True
        if code == 0 or len(self.codes) >= RUNS_MAX:
            return False
        self.codes.append(code)
        self._demo = start_demo(self.folder)
        return True

    def kill(self, one: Kill, rng: random.Random) -> bool:
        """Wait for the moment and kill; False when the demo ended before."""
        while not ((self.folder / "connectors").exists() and items_done(self.folder) >= one.done):
            if not self.go_on():
                return False
            time.sleep(0.02)
        time.sleep(one.seconds_after)
        return self.go_on() and kill_one(self.folder, one.kind, rng, self._demo)

    def end(self) -> None:
        """Until it is through, or was started too often."""
        self.codes.append(wait(self._demo))
        while self.codes[-1] != 0 and len(self.codes) < RUNS_MAX:
            self.codes.append(wait(start_demo(self.folder)))


@pytest.mark.fault
@pytest.mark.parametrize("seed", SEEDS)
def test_two_kills_at_any_moments_of_the_demo_end_in_the_same_content(seed: int, reference: Reference, tmp_path: Path):
    kills, rng = kills_of(seed), random.Random(seed)
    run = Run(copy_of(reference.template, tmp_path))
    killed = [run.kill(one, rng) for one in kills]
    run.end()
    said = f"seed {seed}: {kills}; exit codes {run.codes}"
    assert all(killed), said
    assert run.codes[-1] == 0, said + "\n" + (tmp_path / "demo.log").read_text()[-5000:]
    assert digests(tmp_path) == reference.digests, said
    assert of_this_run(tmp_path) == [], said
    shutil.rmtree(tmp_path, ignore_errors=True)
