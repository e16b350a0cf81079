"""The whole measure of row decisions compared between Python and SQL: ten times what ``make test`` does."""

import os
import subprocess
import sys
from pathlib import Path

TEST = Path(__file__).parent.parent / "integration" / "test_compiled_decisions.py"


def test_half_a_million_row_decisions_agree():
    environment = {**os.environ, "HUB_TEST_ROW_DECISIONS": "500000"}
    command = [sys.executable, "-m", "pytest", "-q", str(TEST)]
    assert subprocess.run(command, env=environment, check=False, timeout=600).returncode == 0
