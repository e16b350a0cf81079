"""The house rules, read from the source itself.

A rule that is wrong is changed here, with its reason, not worked around. What is written for people (errors, commands,
settings) is in test_documentation.py.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "catalog", "connectors", "hub", "seeds", "deploy")

# Who may import whom. The demo in seeds drives the hub from outside, through its command lines and HTTP. The stack in
# deploy has its PostgreSQL as the hub's private cluster.
ARROWS: dict[str, set[str]] = {
    "schemas": set(),
    "catalog": {"schemas"},
    "connectors": {"schemas"},
    "hub": {"schemas", "catalog", "connectors"},
    "seeds": {"schemas"},
    "deploy": {"hub"},
}

# Foreign packages that only some places may know.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "kafka": ("hub/exchange/kafka_log*.py",),
    "keycloak": ("hub/identity/*.py",),
    "fastapi": ("hub/api/*.py", "hub/portal/*.py"),
    "starlette": ("hub/api/*.py", "hub/portal/*.py"),
    "psycopg": ("hub/**", "catalog/store.py", "catalog/*_store.py"),
}

SQL_MAY_STAND_IN: dict[str, str] = {
    "hub/store/*.py": "the store: cluster, migrations, tables",
    "hub/exchange/apply/*.py": "the merge of a batch",
    "hub/exchange/receipt.py": "beside its row type",
    "hub/exchange/quarantine.py": "beside its row type",
    "hub/exchange/pending.py": "beside its row type",
    "hub/exchange/position.py": "beside its row type",
    "hub/exchange/key_list.py": "beside its row type",
    "hub/exchange/keys.py": "beside its row type",
    "hub/exchange/erase.py": "erasure reaches every table of a dataset",
    "hub/exchange/statistics.py": "beside its row type",
    "hub/exchange/embedded_log*.py": "the log that is PostgreSQL",
    "hub/exchange/partition_lock*.py": "session locks of the embedded log",
    "*/store.py": "store modules",
    "*/*_store.py": "store modules",
    "hub/release/*.py": "the only way out of the data tables",
    "connectors/state.py": "the connector's own SQLite file",
    "connectors/sources/database.py": "reads a department's database",
    "seeds/source_files.py": "writes a department's database for the demo",
}
DATA_TABLES_MAY_BE_NAMED_IN = (
    "hub/exchange/apply/*.py",
    "hub/store/tables.py",
    "hub/exchange/erase.py",
    "hub/release/*.py",
)

SQL = re.compile(
    r"\b(SELECT\s.+\sFROM\s|SELECT\s+(pg_|count\()|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|TRUNCATE\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|SCHEMA|DATABASE|TEMP)|COPY\s.+\s(FROM|TO)\s+STD|LISTEN\s|LOCK\s+TABLE)",
    re.DOTALL,
)

LINES_MAX, FUNCTION_LINES_MAX = 400, 70
FORBIDDEN_WORDS = {"manager", "helper", "helpers", "service", "util", "utils", "common", "misc", "handler", "stuff"}
FORBIDDEN_NAMES = {"process", "handle", "data", "do", "tmp", "foo"}
# Calls that are work, and so may not stand at module level.
WORK = {
    *("connect", "create_engine", "urlopen", "open", "mkdir", "read_text", "read_bytes", "read_csv"),
    *("run", "Popen", "start", "sleep", "now", "today", "time", "getenv", "Settings", "basicConfig", "print"),
}
CLOCKS = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.monotonic"}

# Spelt in halves, so that this file does not contain what it looks for.
NOT_IN_ANY_FILE = (
    "/wo" + "rk/",
    "/ro" + "ot/",
    "/ho" + "me/",
    "pypi" + ".org",
    "python" + "hosted",
    "registry.npm" + "js",
)
TEXT_FILES = {".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".avsc", ".json", ".lock", ".txt", ".csv", ""}
NOT_OURS = {
    ".git",
    ".venv",
    ".demo",
    ".bench",
    ".stack",
    ".hub",
    ".hypothesis",
    ".ruff_cache",
    "__pycache__",
    "build",
    "shuniu.egg-info",
}


@dataclass(frozen=True, slots=True)
class Source:
    path: str  # relative to the root, with slashes
    tree: ast.Module
    text: str

    @property
    def room(self) -> str:
        return self.path.split("/", 1)[0]

    def matches(self, patterns: tuple[str, ...] | dict[str, str]) -> bool:
        return any(fnmatch(self.path, pattern) for pattern in patterns)


@cache
def sources() -> tuple[Source, ...]:
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    texts = [(path, path.read_text(encoding="utf-8")) for path in paths]
    return tuple(Source(path.relative_to(ROOT).as_posix(), ast.parse(text), text) for path, text in texts)


@cache
def sources_of_tests() -> tuple[Source, ...]:
    texts = [(path, path.read_text(encoding="utf-8")) for path in sorted((ROOT / "tests").rglob("*.py"))]
    return tuple(Source(path.relative_to(ROOT).as_posix(), ast.parse(text), text) for path, text in texts)


@cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """All of a file's, flattened once for all rules."""
    return tuple(ast.walk(tree))


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Every module a file imports, wherever in the file."""
    for node in nodes(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." if node.level else node.module or ""


@cache
def strings(source: Source) -> tuple[tuple[int, str, bool], ...]:
    """Every string that is not a docstring: line, text, whether it is an f-string."""
    return tuple(_strings(source))


def _strings(source: Source) -> Iterator[tuple[int, str, bool]]:
    docstrings = {
        id(node.body[0].value)
        for node in nodes(source.tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    fragments = {id(part) for node in nodes(source.tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes(source.tree):
        if isinstance(node, ast.JoinedStr):
            constants = [str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values]
            yield node.lineno, "".join(constants), True
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | fragments:
            yield node.lineno, node.value, False


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


# Arrows --------------------------------------------------------------------------------------------------------------


def test_rooms_import_only_along_the_arrows():
    wrong = [
        f"{source.path}:{line} imports {module}"
        for source in sources()
        for line, module in imports(source)
        if (target := module.split(".")[0]) in {*ROOMS, "tests"} and target not in {*ARROWS[source.room], source.room}
    ]
    assert wrong == []


def test_imports_are_absolute():
    assert [f"{source.path}:{line}" for source in sources() for line, module in imports(source) if module == "."] == []


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_foreign_package_is_known_only_to_its_adapters(package: str):
    wrong = [
        f"{source.path}:{line} imports {module}"
        for source in sources()
        for line, module in imports(source)
        if module.split(".")[0] == package and not source.matches(ONLY_IN[package])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "module",
    ["hub.api.serve", "hub.main", "hub.main_processes", "schemas.contract", "schemas.batch", "schemas.envelope"],
)
def test_the_api_process_does_not_import_polars(module: str):
    # Polars costs 100 MB and a second of start-up, and decodes strangers' bytes: that is the decoder child's work.
    script = f"import {module}, sys; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


# SQL -----------------------------------------------------------------------------------------------------------------


def test_sql_stands_only_in_store_modules():
    wrong = [
        f"{source.path}:{line} {text[:60]!r}"
        for source in sources()
        if not source.matches(SQL_MAY_STAND_IN)
        for line, text, _ in strings(source)
        if SQL.search(text)
    ]
    assert wrong == []


def test_sql_is_a_static_string():
    wrong = [
        f"{source.path}:{line} {text[:60]!r}"
        for source in sources()
        for line, text, formatted in strings(source)
        if formatted and SQL.search(text)
    ]
    assert wrong == []


def test_data_tables_are_named_only_by_apply_and_release():
    named = re.compile(r"\bdata\.(\{|\"|[a-z0-9_]+\b(?=[^'\"]*\b(WHERE|SET|VALUES)\b))")
    wrong = [
        f"{source.path}:{line} {text[:60]!r}"
        for source in sources()
        if not source.matches(DATA_TABLES_MAY_BE_NAMED_IN)
        for line, text, _ in strings(source)
        if SQL.search(text) and named.search(text)
    ]
    assert wrong == []


def test_store_functions_never_commit():
    wrong = [
        f"{source.path}:{node.lineno}"
        for source in sources()
        if source.matches(("*/store.py", "*/*_store.py", "hub/exchange/apply/*.py", "hub/exchange/receipt.py"))
        for node in nodes(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "rollback"}
    ]
    assert wrong == []


# Shape ---------------------------------------------------------------------------------------------------------------


def test_no_file_is_longer_than_four_hundred_lines():
    lengths = {source.path: source.text.count("\n") for source in (*sources(), *sources_of_tests())}
    assert {path: lines for path, lines in lengths.items() if lines > LINES_MAX} == {}


def test_no_function_is_longer_than_seventy_lines():
    wrong = [
        f"{source.path}:{node.lineno} {node.name}"
        for source in (*sources(), *sources_of_tests())
        for node in functions(source)
        if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert wrong == []


def test_names_say_what_a_thing_is():
    wrong: list[str] = []
    for source in sources():
        inner = [(n.lineno, n.name) for n in nodes(source.tree) if isinstance(n, ast.ClassDef | ast.FunctionDef)]
        outer = [(n.lineno, n.name) for n in source.tree.body if isinstance(n, ast.FunctionDef)]
        outer.append((1, Path(source.path).stem))
        for line, name in (*inner, *outer):
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
            if words & FORBIDDEN_WORDS or ((line, name) in outer and name in FORBIDDEN_NAMES):
                wrong.append(f"{source.path}:{line} {name}")
    assert wrong == []


def test_nothing_happens_at_import():
    wrong = [
        f"{source.path}:{call.lineno} {dotted(call.func)}"
        for source in sources()
        for statement in source.tree.body
        if not isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
        )
        and not (isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test))
        for call in ast.walk(statement)
        if isinstance(call, ast.Call) and dotted(call.func).rsplit(".", 1)[-1] in WORK
    ]
    wrong += [
        f"{source.path} reads os.environ"
        for source in sources()
        for statement in source.tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) and "attr='environ'" in ast.dump(statement)
    ]
    assert wrong == []


def test_the_pure_rooms_are_told_the_time():
    wrong = [
        f"{source.path}:{call.lineno} {dotted(call.func)}"
        for source in sources()
        if source.room in {"schemas", "catalog"}
        for call in nodes(source.tree)
        if isinstance(call, ast.Call) and dotted(call.func) in CLOCKS
    ]
    assert wrong == []


def test_every_suppressed_warning_carries_its_reason():
    bare = re.compile(r"#\s*(noqa(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?|(pyright|type): ignore(\[[^\]]*\])?)\s*$")
    wrong = [
        f"{source.path}:{number}"
        for source in (*sources(), *sources_of_tests())
        for number, line in enumerate(source.text.splitlines(), 1)
        if bare.search(line)
    ]
    assert wrong == []


def test_no_file_names_a_machine_or_a_package_host():
    wrong = [
        f"{path.relative_to(ROOT)} contains {word}"
        for path in sorted(ROOT.rglob("*"))
        if path.suffix in TEXT_FILES and not NOT_OURS & set(path.relative_to(ROOT).parts) and path.is_file()
        for word in NOT_IN_ANY_FILE
        if word in path.read_text(encoding="utf-8", errors="ignore")
    ]
    assert wrong == []
