from pathlib import Path

import pytest

from hub.ledger.errors import WitnessStateUnusable
from hub.ledger.witness_memory import Memory, alone, read_memory, write_memory

MEMORY = Memory("hub/ledger/x", "pem", 7, bytes(range(32)), 1_795_000_000_000, "note\n", ("one", "二"))


def test_what_was_written_is_remembered(tmp_path: Path):
    file = tmp_path / "seen.json"
    assert read_memory(file) == Memory()
    write_memory(file, MEMORY)
    assert read_memory(file) == MEMORY
    assert [one.name for one in tmp_path.iterdir()] == ["seen.json"]


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"v": 1}', b"\xff", b'{"v": 2, "root": "", "alarms": []}'])
def test_a_memory_that_cannot_be_read_is_never_a_fresh_start(tmp_path: Path, text: bytes):
    file = tmp_path / "seen.json"
    file.write_bytes(text)
    with pytest.raises(WitnessStateUnusable):
        read_memory(file)


def test_only_the_newest_alarms_are_kept():
    memory = Memory()
    for number in range(150):
        memory = memory.with_alarm(str(number))
    assert (len(memory.alarms), memory.alarms[-1]) == (100, "149")


def test_two_processes_are_not_one_witness(tmp_path: Path):
    file = tmp_path / "witness" / "seen.json"
    with alone(file), pytest.raises(WitnessStateUnusable), alone(file):
        pass
    with alone(file):
        pass
