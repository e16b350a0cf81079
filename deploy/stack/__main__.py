"""``python -m deploy.stack start|stop|status``: what ``make stack`` and ``make stack-stop`` call."""

import argparse
import sys
from pathlib import Path

from deploy.stack.errors import StackError
from deploy.stack.stack import Stack
from hub.keys_errors import KeysError
from hub.store.errors import StoreError

FOLDER = Path(".stack")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0, 1 with a sentence on standard error, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the stack is kept")
    parser.add_argument("--brokers", type=int, default=1, choices=[1, 3], help="brokers of the Kafka cluster")
    given = parser.parse_args(arguments)
    stack = Stack(given.folder, _say)
    try:
        match given.command:
            case "start":
                _show(stack.start(given.brokers).settings(), given.folder)
            case "stop":
                _say(f"ended: {', '.join(stack.stop()) or 'nothing ran'}")
            case _:
                return _show_status(stack)
    except (StackError, StoreError, KeysError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _show(settings: dict[str, str], folder: Path) -> None:
    _say(f"the settings of a hub that uses it are in {folder / 'hub.env'}:")
    for name, value in settings.items():
        sys.stdout.write(f"{name}={value}\n")


def _show_status(stack: Stack) -> int:
    """0 where all of it lives, 1 otherwise."""
    standing = stack.standing()
    for one in standing.processes:
        sys.stdout.write(f"{one.name} {one.pid} {'runs' if one.process() is not None else 'ended'} {one.log}\n")
    lives = bool(standing.processes) and all(one.process() is not None for one in standing.processes)
    if not standing.processes:
        _say("nothing runs; start it: make stack")
    return 0 if lives else 1


def _say(text: str) -> None:
    sys.stderr.write(f"stack: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
