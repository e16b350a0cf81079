"""A command line run within the test's process: the same ``main``, without the second a new interpreter takes.

What is about the process itself (signals, kills, following) still starts one.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import connectors.cli
import hub.cli


def run_hub(
    *arguments: str, environment: Mapping[str, str], given: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """``hub …`` under an environment, with what it is given on standard input."""
    return _run(hub.cli.main, "hub", arguments, environment, given or "")


def run_connector(*arguments: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """``connector …`` under an environment."""
    return _run(connectors.cli.main, "connector", arguments, environment, "")


def _run(
    main: Callable[[], None], name: str, arguments: tuple[str, ...], environment: Mapping[str, str], given: str
) -> "subprocess.CompletedProcess[str]":
    out, err = _stream(), _stream()
    code = 0
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", [name, *arguments]),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess([name, *arguments], code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")
