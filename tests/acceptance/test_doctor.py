"""hub doctor: it finds what is wrong with each part, says what to do, changes nothing."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import run_hub
from running_door import OURS, RunningDoor
from signing_in import opened

from hub import doctor
from hub.doctor import Finding, examine
from hub.errors import LogUnavailable
from hub.main import opened_log
from hub.settings import Settings

Found = Mapping[str, Finding]


def look(settings: Settings, **environment: str) -> Found:
    """The worst finding of each part."""
    order = ("sound", "look", "broken")
    return {one.part: one for one in sorted(examine(settings, environment), key=lambda one: order.index(one.state))}


def states(found: Found) -> dict[str, str]:
    return {part: one.state for part, one in found.items()}


def test_a_sound_hub_is_found_sound_and_left_as_it_is(fresh_door: RunningDoor):
    with opened(fresh_door.database_url) as conn:
        conn.execute("UPDATE ledger_head SET signed_at = now(), looked_at = now()")
    found = look(fresh_door.settings.model_copy(update={"ledger_witnesses": ""}))
    # The tests' own server is not made to outlive a power cut.
    assert "fsync" in found["store"].en
    assert {part for part, state in states(found).items() if state != "sound"} == {"store"}, found
    assert set(found) == {"settings", "keys", "disk", "issuer", "store", "log", "ledger", "exchange"}
    assert all(one.zh and one.en for one in found.values())


def test_each_thing_that_is_wrong_is_told_with_what_to_do(fresh_door: RunningDoor):
    with opened(fresh_door.database_url) as conn:
        conn.execute(
            "UPDATE ledger_head SET signed_at = now() - interval '1 day', looked_at = now() - interval '1 day'"
        )
        conn.execute(
            "INSERT INTO refused_message (topic, incarnation, partition, log_offset, message_key, refusal)"
            " VALUES ('t', 'i', 0, 0, '', '{}')"
        )
    with opened_log(fresh_door.settings, fresh_door.database_url) as log:
        log.delete_topic(f"exchange.{OURS}")
    changed = fresh_door.settings.model_copy(update={"host": "0.0.0.0", "ledger_witnesses": "one"})  # noqa: S104 - what is to be found
    found = look(changed, HUB_PROT="1")
    assert states(found) == {
        "settings": "look",
        "keys": "sound",
        "disk": "sound",
        "issuer": "sound",
        "store": "look",
        "log": "broken",
        "ledger": "broken",
        "exchange": "look",
    }
    assert f"{OURS} have no topic; run hub dataset add" in found["log"].en
    assert "run hub ledger seal" in found["ledger"].en
    told = [one.en for one in examine(changed, {"HUB_PROT": "1"})]
    assert any("HUB_PROT" in one for one in told)
    assert any("put TLS in front" in one for one in told)
    assert any("witness one does not cosign" in one for one in told)


def test_a_store_that_is_away_or_behind_ends_the_look_there(fresh_door: RunningDoor, tmp_path: Path):
    away = fresh_door.settings.model_copy(update={"database_url": "postgresql://hub@127.0.0.1:1/hub"})
    found = look(away)
    assert (found["store"].state, "ledger" in found) == ("broken", False)
    never = Settings(data_folder=tmp_path)
    assert look(never)["store"].en == "the private cluster is down; run hub start"
    assert look(never)["keys"].state == "look"
    assert list(tmp_path.iterdir()) == []
    with opened(fresh_door.database_url) as conn:
        conn.execute("DELETE FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)")
    found = look(fresh_door.settings)
    assert found["store"].state == "broken"
    assert "run hub store migrate" in found["store"].en


def test_an_issuer_or_a_log_that_is_away_is_told_and_the_rest_is_looked_at(
    fresh_door: RunningDoor, monkeypatch: pytest.MonkeyPatch
):
    def away(*_: object) -> None:
        raise LogUnavailable(problem="Kafka: no answer")

    monkeypatch.setattr(doctor, "opened_log", away)
    found = look(fresh_door.settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:1/realms/hub"}))
    assert found["issuer"].state == found["log"].state == "broken"
    assert "does not answer" in found["issuer"].en
    assert "Kafka: no answer" in found["log"].en
    assert {"ledger", "exchange"} <= set(found)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_command_shows_it_and_its_exit_code_tells(fresh_door: RunningDoor, tmp_path: Path, language: str):
    environment = {
        **os.environ,
        "HUB_DATABASE_URL": fresh_door.database_url,
        "HUB_DATA_FOLDER": str(tmp_path),
        "HUB_KAFKA_PREFIX": fresh_door.settings.kafka_prefix,
        "HUB_LANGUAGE": language,
    }
    run: Callable[..., subprocess.CompletedProcess[str]] = lambda *arguments: run_hub(  # noqa: E731 - a partial with names
        *arguments, environment=environment
    )
    with opened(fresh_door.database_url) as conn:
        conn.execute("UPDATE ledger_head SET signed_at = %s", [datetime.now(UTC)])
    done = run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("正常" if language == "zh" else "sound") in done.stdout
    with opened(fresh_door.database_url) as conn:
        conn.execute("UPDATE ledger_head SET signed_at = %s", [datetime.now(UTC) - timedelta(days=1)])
    told = run("doctor", "--json")
    assert told.returncode == 1
    parsed: list[dict[str, Any]] = json.loads(told.stdout)
    assert "broken" in [one["state"] for one in parsed if one["part"] == "ledger"]
