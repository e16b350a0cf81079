"""hub doctor."""

from dataclasses import asdict

import typer

from hub.doctor import examine
from hub.terminal import AsJson, language, settings_of, show_json, show_rows

_WORDS = {"sound": "正常", "look": "请查看", "broken": "故障"}


def doctor_command(as_json: AsJson = False) -> None:
    """Look at every part of the hub, change nothing, and say what to do. Exit code 1 where something is broken."""
    findings = list(examine(settings_of()))
    if as_json:
        show_json([asdict(one) for one in findings])
    else:
        chinese = language() == "zh"
        show_rows(
            [
                {
                    "part": one.part,
                    "state": _WORDS[one.state] if chinese else one.state,
                    "what": one.zh if chinese else one.en,
                }
                for one in findings
            ],
            as_json=False,
        )
    if any(one.state == "broken" for one in findings):
        raise typer.Exit(1)
