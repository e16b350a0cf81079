"""hub backup, hub restore."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hub.backup import make_backup, read_manifest, restore_backup
from hub.main import opened_store, utc_now
from hub.terminal import AsJson, say, settings_of, show_json, tell


def backup_command(
    into: Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, help="Where backups are kept.")],
    as_json: AsJson = False,
) -> None:
    """Dump the store, at one moment, with a manifest of what it held. The hub's keys are backed up apart."""
    settings = settings_of()
    with opened_store(settings, tell) as url:
        made, manifest = make_backup(url, settings.hub_id, into, utc_now())
    if as_json:
        show_json({"backup": str(made), **asdict(manifest)})
        return
    say(
        f"备份完成:{made};密钥不在其中,请另行备份密钥文件夹。",
        f"the backup is {made}; keys are not in it: back their folder up apart.",
    )


def restore_command(
    backup: Annotated[
        Path, typer.Argument(metavar="BACKUP", exists=True, file_okay=False, help="As hub backup made it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Bring a backup back into an empty store, whole or not at all, and prove that it is what was."""
    settings, manifest = settings_of(), read_manifest(backup)
    with opened_store(settings, tell, migrated=False) as url:
        restore_backup(url, backup, manifest, utc_now())
    if as_json:
        show_json(asdict(manifest))
        return
    size = manifest.ledger["size"]
    say(
        f"已恢复 {manifest.made_at} 的备份:内容与账本(前 {size} 条)均与清单一致。见证者见过的更多条目如已丢失,"
        "会报警;请执行 hub ledger verify 并按 docs/backup.md 处理。",
        f"restored is the backup of {manifest.made_at}: contents, and {size} leaves, are what the manifest says. "
        "Where witnesses have seen more, they raise an alarm; run hub ledger verify, and see docs/backup.md.",
    )
