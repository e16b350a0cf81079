"""Whether the log answers: asked by anybody, looked at seldom, and never by two at a time."""

import threading
from typing import cast

import pytest

from hub.errors import LogUnavailable, SettingWrong
from hub.exchange import log_look
from hub.exchange.log import Log
from hub.exchange.log_look import LogLook
from hub.main import kafka_of
from hub.settings import Settings


class Slow:
    """A log whose topics come when the test lets them, or not at all."""

    def __init__(self) -> None:
        self.looks = 0
        self.is_away = False
        self.answers = threading.Event()
        self.answers.set()

    def topics(self) -> list[object]:
        self.looks += 1
        assert self.answers.wait(5)
        if self.is_away:
            raise LogUnavailable(problem="away")
        return []


def test_one_look_serves_all_who_ask_within_a_second(monkeypatch: pytest.MonkeyPatch):
    log = Slow()
    look = LogLook(cast("Log", log))
    for _ in range(5):
        look.require()
    assert log.looks == 1
    monkeypatch.setattr(log_look, "LOOK_SECONDS", 0.0)
    log.is_away = True
    with pytest.raises(LogUnavailable, match="away"):
        look.require()
    log.is_away = False
    look.require()
    assert log.looks == 3


def test_who_asks_while_another_looks_is_told_what_was_seen_last(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_look, "LOOK_SECONDS", 0.0)
    log = Slow()
    look = LogLook(cast("Log", log))
    look.require()
    log.answers.clear()
    thread = threading.Thread(target=look.require)
    thread.start()
    while log.looks < 2:
        pass
    look.require()  # at once, though the log does not answer
    assert log.looks == 2
    log.answers.set()
    thread.join(5)


@pytest.mark.parametrize("missing", ["kafka_user", "kafka_password_file"])
def test_a_broker_that_asks_who_the_hub_is_needs_both_name_and_password(missing: str):
    given = {"kafka_security": "SASL_SSL", "kafka_user": "hub", "kafka_password_file": "/nothing"}
    del given[missing]
    with pytest.raises(SettingWrong, match=f"HUB_{missing.upper()}"):
        kafka_of(Settings(**given))  # pyright: ignore[reportArgumentType]  # names of settings
