"""These tests are there where a stack is: ``make stack-test`` names it, ``make test`` says that they were left out."""

import running_stack

collect_ignore_glob = [] if running_stack.is_there() else ["test_*.py"]
