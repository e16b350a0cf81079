"""The demo's second half: entries published, grants given, and what comes of them for three kinds of caller."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from seeds import demo_release
from seeds.demo_accounts import ADMINISTRATOR, Accounts, Memory, Session
from seeds.demo_catalogue import publish_entries
from seeds.demo_grants import (
    DEPARTMENT,
    DEPARTMENT_WISH,
    DEVELOPER_WISH,
    OPEN_ASKER,
    OPEN_WISH,
    Wish,
    developer_session,
    granted,
    proposed,
)
from seeds.demo_outcome import write_outcome
from seeds.demo_processes import program
from seeds.demo_release import RECORDS, Callers
from seeds.demo_setup import token_files, write_secret
from seeds.demo_statistics import publish_statistics

Say = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class WayOut:
    """One run of it; what an earlier run made is used again."""

    console: Console
    say: Say
    base_url: str
    folder: Path
    environment: Mapping[str, str]

    def run(self) -> None:
        """From accounts to a proof, each step told as it is done."""
        say, show = self.say, self.console.print
        memory = Memory(self.folder / "accounts.json")
        accounts = Accounts(self.base_url, memory, self.environment)
        now = datetime.now(UTC)
        with self.console.status("") as status:
            status.update(say("建立账户", "making accounts"))
            accounts.prepare()
            published = publish_entries(accounts, status.update)
            show(
                say(
                    f"已发布 {published} 个目录条目:拟稿、提交、审核、保密审查、发布,由三人分别完成",
                    f"{published} catalogue entries are published: drafted, reviewed and published by three people",
                )
            )
            status.update(say("申请与授权", "requests and grants"))
            department = Session(self.base_url, token_files(self.folder)[DEPARTMENT].read_text("ascii").strip())
            developer = developer_session(accounts, memory, self.base_url, now)
            granted(accounts, memory, department, DEPARTMENT_WISH, now)
            grant = granted(accounts, memory, developer, DEVELOPER_WISH, now)
            public = Session(self.base_url)
            status.update(say("统计汇总", "statistics"))
            publish_statistics(public, self.environment)
        callers = Callers(public, developer, department)
        write_outcome(self.folder, self.environment, callers)
        decision = demo_release.show_side_by_side(self.console, callers, say)
        demo_release.show_aggregates(self.console, public, say)
        demo_release.show_explanation(self.console, department, say)
        demo_release.show_suspension(self.console, accounts, developer, grant, now, say)
        proof = demo_release.prove(self.console, accounts, self.folder, decision, say)
        asker = Session(self.base_url, token_files(self.folder)[OPEN_ASKER].read_text("ascii").strip())
        self._show_callers(memory)
        self._show_commands(proposed(accounts, memory, asker, OPEN_WISH, now), proof)

    def _show_callers(self, memory: Memory) -> None:
        """A line to repeat what each of the three sees."""
        key = self.folder / "tokens" / "developer"
        if not key.exists():
            write_secret(key, str(memory.get("developer_key")))
        department = token_files(self.folder)[DEPARTMENT]
        self.console.print(self.say("三种调用者,自己试试:", "The three callers, to try yourself:"), style="bold")
        self._line(f"curl -s '{self.base_url}{RECORDS}'")
        self._line(self._curl(key, DEVELOPER_WISH, RECORDS))
        self._line(self._curl(department, DEPARTMENT_WISH, RECORDS))

    def _show_commands(self, proposal: tuple[str, str], proof: Path) -> None:
        """Give, read, explain, revoke, prove: a line each."""
        grant, digest = proposal
        hub = f"HUB_DATA_FOLDER={_short(self.folder / 'hub')} {_short(Path(program('hub')))}"
        acting = f"--as {ADMINISTRATOR.login}"
        token = token_files(self.folder)[OPEN_ASKER]
        records = f"/v1/datasets/{OPEN_WISH.dataset}/records?limit=2"
        explain = f"/v1/datasets/{OPEN_WISH.dataset}/explain"
        self.console.print(
            self.say("授权、读取、解释、撤销、证明:", "Give, read, explain, revoke, prove:"), style="bold"
        )
        self._line(f"{hub} grant approve {grant} --digest {digest} {acting}")
        self._line(self._curl(token, OPEN_WISH, records))
        self._line(f"{self._curl(token, OPEN_WISH, explain)} -H 'accept: text/plain'")
        self._line(f"{hub} grant end {grant} --reasons 演示 {acting}")
        verifier = _short(demo_release.verifier())
        self._line(f"python3 {verifier} {_short(proof / 'bundle.json')} --key {_short(proof / 'ledger.pem')}")

    def _curl(self, token: Path, wish: Wish, path: str) -> str:
        headers = f"-H \"authorization: Bearer $(cat {_short(token)})\" -H 'hub-purpose: {quote(wish.purpose)}'"
        return f"curl -s {headers} '{self.base_url}{path}'"

    def _line(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)


def _short(path: Path) -> str:
    """Relative to where the user is, when that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
