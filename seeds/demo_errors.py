"""What can end the demo.

DemoError
├── CommandFailed       a command line ended with an error
├── AnswerUnexpected    the hub answered otherwise than it should
├── HubStopped          the hub ended while the demo needed it
└── HubSilent           the hub did not get ready, or took nothing any more
"""

from collections.abc import Sequence


class DemoError(Exception):
    """The demo cannot go on."""


class CommandFailed(DemoError):
    """A command line ended with an error."""

    def __init__(self, command: Sequence[str], exit_code: int, output: str) -> None:
        super().__init__(f"{' '.join(command)}\nended with {exit_code}:\n{output.strip()}")


class AnswerUnexpected(DemoError):
    """The hub answered otherwise than it should."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"{method} {path} was answered with {status}:\n{text[:2000]}")


class HubStopped(DemoError):
    """The hub ended while the demo needed it."""

    def __init__(self, exit_code: int, log: str) -> None:
        super().__init__(f"the hub ended with {exit_code}; the last lines of its log:\n{log}")


class HubSilent(DemoError):
    """The hub did not get ready, or took nothing any more."""

    def __init__(self, seconds: int, waited_for: str, log: str) -> None:
        super().__init__(f"waited {seconds} s for {waited_for}; the last lines of the log:\n{log}")
