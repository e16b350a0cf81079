"""Processes that begin at once end up with one set of keys."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """import sys
from pathlib import Path
from hub.keys import Keys
from schemas.national.provider import SoftwareProvider
provider = SoftwareProvider()
sys.stdin.read()
keys = Keys(Path(sys.argv[1]), provider)
print(keys.derive("cursor").hex(), keys.signer("ledger").public.fingerprint)
"""


def test_processes_that_begin_at_once_have_the_same_keys(tmp_path: Path):
    folder = tmp_path / "keys"
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    for process in begun:
        assert process.stdin is not None
        process.stdin.close()
    said = set[str]()
    for process in begun:
        assert process.stdout is not None
        with process.stdout:
            said.add(process.stdout.read())
        assert process.wait(60) == 0
    assert len(said) == 1
    assert {path.name for path in folder.iterdir()} == {"root", "ledger.pem"}
