"""Who runs PostgreSQL's processes: the caller, or, because PostgreSQL refuses root, an unprivileged system user."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hub.store.errors import AccountMissing

KNOWN_ACCOUNT = "postgres"  # made by every system's PostgreSQL package
OWN_ACCOUNT = "hub-postgres"
COMMAND_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Account:
    """The user PostgreSQL runs as. ``uid`` is None where that is simply the caller."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_open(self, descriptor: int) -> None:
        """Give an open file to the account."""
        if self.uid is not None and self.gid is not None:
            os.fchown(descriptor, self.uid, self.gid)


def find_account(data: Path) -> Account:
    """The account for a cluster whose files are, or will be, in ``data``: an existing cluster keeps its owner."""
    if os.geteuid() != 0:
        return Account()
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return Account(owner, data.stat().st_gid)
    for name in (KNOWN_ACCOUNT, OWN_ACCOUNT):
        found = _look_up(name)
        if found:
            return found
    return _make_account()


def _look_up(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _make_account() -> Account:
    commands = {
        "useradd": ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false", OWN_ACCOUNT],
        "adduser": ["-S", "-D", "-H", "-s", "/bin/false", OWN_ACCOUNT],  # busybox
    }
    for program, arguments in commands.items():
        path = shutil.which(program)
        if path is None:
            continue
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS, check=False
        )
        found = _look_up(OWN_ACCOUNT)
        if found is None:
            raise AccountMissing(user=OWN_ACCOUNT, problem=done.stderr.strip() or f"{program} failed")
        return found
    raise AccountMissing(user=OWN_ACCOUNT, problem="neither useradd nor adduser was found")
