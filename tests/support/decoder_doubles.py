"""Stands in for ``hub.exchange.prepare`` in a decoding child: the container's first words say what to do."""

import os
import signal
import time
from datetime import datetime

from hub.exchange.prepared import Prepared
from schemas.batch import Limits
from schemas.contract import Contract
from schemas.envelope import Envelope
from schemas.errors import DigestDiffers

SECRET = "张三 420106199001010000"


class Panic(BaseException):
    """As polars' PanicException: no Exception."""


def prepare(  # noqa: C901 - a list
    contract: Contract, envelope: Envelope, container: bytes, now: datetime, limits: Limits, marks: bytes
) -> Prepared:
    del contract, limits, marks
    word, _, argument = container[:64].rstrip(b"\x00").partition(b" ")
    match word:
        case b"sleep":
            time.sleep(float(argument))
        case b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"exit":
            os._exit(int(argument))
        case b"allocate":
            return Prepared(received=len(bytearray(int(argument))))
        case b"refuse":
            raise DigestDiffers
        case b"defect":
            raise KeyError(SECRET)
        case b"panic":
            raise Panic(SECRET)
        case b"panic-behind":
            raise DigestDiffers from Panic(SECRET)
        case b"print":
            print(SECRET, flush=True)  # noqa: T201 - what a library may do
            os.write(1, SECRET.encode())
        case b"grow":
            return Prepared(received=1, copy=bytes(int(argument)))
        case b"environment":
            return Prepared(received=1, keys=sorted(os.environ))
        case _:
            pass
    return Prepared(received=envelope.records, copy=container, flags={"now": int(now.timestamp()), "pid": os.getpid()})
