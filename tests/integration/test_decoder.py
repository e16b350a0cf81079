"""The decoder with real child processes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from contract_maker import contract_text
from decoder_doubles import SECRET

from hub.errors import DecoderUnusable
from hub.exchange import decoder as decoder_module
from hub.exchange.decoder import Decoder
from hub.exchange.prepared import Prepared
from schemas.batch import Limits, sm3_hex, uuid7
from schemas.envelope import Envelope

SUPPORT = Path(__file__).parent.parent / "support"
ROOT = SUPPORT.parent.parent
NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
DOUBLE = "decoder_doubles:prepare"
CONTRACT = contract_text({"code": "string", "value": "long"})


def envelope_of(container: bytes, records: int = 7, contract: int = 1, dataset: str = "420000.simple") -> Envelope:
    return Envelope(
        v=1,
        hub="420000",
        dataset=dataset,
        contract=contract,
        organization="tong-ji",
        sender="tong-ji",
        batch=uuid7(NOW),
        run=uuid7(NOW),
        cut_at=NOW,
        operation="upsert",
        records=records,
        first_row=0,
        bytes=len(container),
        sm3=sm3_hex(container),
        keys=None,
    )


def task(container: bytes) -> tuple[str, bytes, bytes, datetime]:
    return CONTRACT, envelope_of(container).to_bytes(), container, NOW


def code_of(prepared: Prepared) -> str | None:
    return None if prepared.refusal is None else str(prepared.refusal["code"])


@pytest.fixture(autouse=True)
def _doubles_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))


@pytest.fixture
def decoder(_doubles_at_hand: None) -> Iterator[Decoder]:
    one = Decoder(Limits(), entry=DOUBLE, seconds_max=5)
    yield one
    one.close()


def test_a_batch_goes_to_the_child_and_comes_back_prepared(decoder: Decoder):
    container = os.urandom(1_000)
    decoder.submit(*task(container))
    prepared = decoder.result()
    assert (prepared.received, prepared.copy, prepared.refusal) == (7, container, None)
    assert prepared.flags["now"] == int(NOW.timestamp())
    assert prepared.flags["pid"] == decoder.pid != os.getpid()


def test_large_batches_are_submitted_while_others_are_worked_on_without_a_deadlock(decoder: Decoder):
    containers = [os.urandom(4 * 1024 * 1024) for _ in range(6)]
    decoder.submit(*task(containers[0]))
    for following in range(1, 6):
        started = time.monotonic()
        decoder.submit(*task(containers[following]))
        assert time.monotonic() - started < 0.5, "submitting must not wait for the child"
        assert decoder.result().copy == containers[following - 1]
    assert decoder.result().copy == containers[5]


def test_the_child_goes_on_to_the_next_batch_while_nobody_fetches_the_last(decoder: Decoder):
    large = b"sleep 0.2".ljust(4 * 1024 * 1024, b"\x00")
    decoder.submit(*task(large))
    decoder.submit(*task(large))
    decoder.result()
    decoder.submit(*task(large))
    time.sleep(1.5)
    started = time.monotonic()
    decoder.result()
    decoder.result()
    assert time.monotonic() - started < 0.15


def test_no_more_than_two_batches_are_in_hand(decoder: Decoder):
    decoder.submit(*task(b"a"))
    decoder.submit(*task(b"b"))
    with pytest.raises(RuntimeError):
        decoder.submit(*task(b"c"))


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("kill", "decoder_died"),
        ("exit 0", "decoder_died"),
        ("exit 3", "decoder_died"),
        ("panic", "decoder_died"),
        ("allocate 9000000000", "decoder_died"),
        ("sleep 60", "decoder_timeout"),
        ("refuse", "digest_differs"),
        ("panic-behind", "digest_differs"),
        ("defect", "decoder_failed"),
        (f"grow {300 * 1024 * 1024}", "batch_too_large"),
        ("print", None),
    ],
)
def test_whatever_a_batch_does_to_the_child_the_next_one_is_worked_on(word: str, code: str | None):
    one = Decoder(Limits(), entry=DOUBLE, seconds_max=1)
    one.submit(*task(word.encode()))
    one.submit(*task(b"next"))
    first, second = one.result(), one.result()
    one.close()
    assert code_of(first) == code
    assert (second.copy, second.refusal) == (b"next", None)
    assert SECRET not in str(first.refusal)


def test_a_child_that_panicked_or_died_is_replaced_and_one_that_refused_is_not(decoder: Decoder):
    for word, replaced in (
        ("refuse", False),
        ("defect", False),
        ("panic", True),
        ("panic-behind", True),
        ("kill", True),
    ):
        before = decoder.pid
        decoder.submit(*task(word.encode()))
        decoder.result()
        assert (decoder.pid != before) == replaced, word
        assert psutil.pid_exists(before) != replaced, word


def test_a_child_killed_once_from_outside_costs_no_batch(decoder: Decoder):
    decoder.submit(*task(b"sleep 3"))
    decoder.submit(*task(b"next"))
    threading.Timer(1.0, os.kill, (decoder.pid, signal.SIGKILL)).start()
    assert decoder.result().refusal is None
    assert decoder.result().copy == b"next"


def test_a_batch_on_which_two_children_die_is_refused_and_no_other(decoder: Decoder):
    decoder.submit(*task(b"kill"))
    decoder.submit(*task(b"next"))
    refused = decoder.result()
    assert code_of(refused) == "decoder_died"
    assert "SIGKILL" in str(refused.refusal)
    assert decoder.result().copy == b"next"


def test_a_child_killed_while_idle_costs_no_batch(decoder: Decoder):
    decoder.submit(*task(b"first"))
    decoder.result()
    os.kill(decoder.pid, signal.SIGKILL)
    decoder.submit(*task(b"second"))
    assert decoder.result().copy == b"second"


def test_a_child_killed_between_two_large_batches_costs_at_most_the_one_it_held(decoder: Decoder):
    large = os.urandom(4 * 1024 * 1024)
    for _ in range(5):
        decoder.submit(*task(b"first"))
        decoder.submit(*task(large))
        decoder.result()
        os.kill(decoder.pid, signal.SIGKILL)
        last = decoder.result()
        assert code_of(last) in {None, "decoder_died"}


def test_an_envelope_that_cannot_be_read_refuses_its_batch(decoder: Decoder):
    decoder.submit(CONTRACT, b"{}", b"x", NOW)
    assert code_of(decoder.result()) == "envelope_member_wrong"


def test_the_child_has_no_credentials_in_its_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUB_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1/hub")
    one = Decoder(Limits(), entry=DOUBLE)
    one.submit(*task(b"environment"))
    names = one.result().keys
    one.close()
    assert "POLARS_MAX_THREADS" in names
    assert [name for name in names if name.startswith(("HUB_", "PG"))] == []


def test_a_child_that_cannot_start_blames_no_batch():
    one = Decoder(Limits(), entry="decoder_doubles:is_not_there")
    one.submit(*task(b"first"))
    with pytest.raises(DecoderUnusable):
        one.result()
    one._options["entry"] = DOUBLE
    assert one.result().copy == b"first", "once the cause is gone the batch is still in hand"
    one.close()


def test_a_child_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoder_module, "START_SECONDS_MAX", 0.01)
    one = Decoder(Limits(), entry=DOUBLE)
    one.submit(*task(b"first"))
    with pytest.raises(DecoderUnusable):
        one.result()
    one.close()


def test_closing_ends_the_child_and_its_threads():
    before = threading.active_count()
    one = Decoder(Limits(), entry=DOUBLE)
    one.submit(*task(b"sleep 30"))
    pid = one.pid
    one.close()
    assert not psutil.pid_exists(pid)
    assert threading.active_count() == before


@pytest.mark.parametrize("word", ["idle", "sleep 60"])
def test_the_child_ends_with_its_parent(word: str):
    script = f"""
        import sys, time
        from datetime import UTC, datetime
        from hub.exchange.decoder import Decoder
        from schemas.batch import Limits
        decoder = Decoder(Limits(), entry={DOUBLE!r})
        contract, envelope = {CONTRACT!r}, {envelope_of(word.encode()).to_bytes()!r}
        decoder.submit(contract, envelope, b"x", datetime.now(UTC))
        decoder.result()
        if {word!r} != "idle":
            decoder.submit(contract, envelope, {word.encode()!r}, datetime.now(UTC))
        time.sleep(0.3)
        print(decoder.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert child in psutil.wait_procs([child], timeout=3)[0]


def test_an_interrupt_from_the_keyboard_leaves_the_batch_under_way_alone(decoder: Decoder):
    decoder.submit(*task(b"sleep 0.5"))
    time.sleep(0.3)
    os.kill(decoder.pid, signal.SIGINT)
    assert decoder.result().refusal is None
