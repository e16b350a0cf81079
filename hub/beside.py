"""Work that goes on beside what a block does: one way to start a thread for it and to end it with the block."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

END_SECONDS_MAX: Final = 5.0


@contextmanager
def going_on_beside(name: str, work: Callable[[threading.Event], None]) -> Generator[None]:
    """Run work on a thread of its own until the block ends.

    Args:
        name: of the thread.
        work: told by the event when to end; it meets its own errors, for an error here ends it in silence.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=[stopping], name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(END_SECONDS_MAX)
