"""Signing in from a command line: what the issuer may answer, and what comes of it."""

from collections.abc import Sequence
from urllib.parse import parse_qs

import httpx
import pytest

from hub.identity.device_sign_in import DeviceSignIn, Shown
from hub.identity.errors import DeviceSignInAbsent, DeviceSignInFailed, IssuerUnreachable

ISSUER = "https://issuer.test/realms/hub"
DISCOVERY = {
    "issuer": ISSUER,
    "device_authorization_endpoint": f"{ISSUER}/device",
    "token_endpoint": f"{ISSUER}/token",
}
BEGUN = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": f"{ISSUER}/go", "interval": 2}
PENDING, SLOW = {"error": "authorization_pending"}, {"error": "slow_down"}
TOKEN = {"access_token": "t", "expires_in": 300}


class Scripted:
    """An issuer that answers from a script, and a clock that only sleeping moves."""

    def __init__(self, answers: Sequence[tuple[int, object]], discovery: object = DISCOVERY) -> None:
        self._answers = list(answers)
        self._discovery = discovery
        self.slept: list[float] = []
        self.forms: list[dict[str, str]] = []
        self.shown: list[Shown] = []

    def sign_in(self) -> str:
        signing = DeviceSignIn(
            ISSUER,
            "cli",
            transport=httpx.MockTransport(self._answer),
            sleep=self.slept.append,
            ticks=lambda: sum(self.slept),
        )
        return signing.sign_in(self.shown.append).token

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=self._discovery)
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        status, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return httpx.Response(status, json=body)


def test_it_asks_until_the_person_has_answered_and_slower_when_told_to():
    issuer = Scripted([(200, BEGUN), (400, PENDING), (400, SLOW), (400, PENDING), (200, TOKEN)])
    assert issuer.sign_in() == "t"
    assert issuer.slept == [2, 2, 7, 7]  # RFC 8628 §3.5: five seconds more from then on
    assert issuer.shown == [Shown(f"{ISSUER}/go", "ABCD-EFGH", None)]
    begun, *asked = issuer.forms
    assert begun["code_challenge_method"] == "S256"
    assert {form["device_code"] for form in asked} == {"d"}
    assert {form["client_id"] for form in issuer.forms} == {"cli"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"error": "access_denied", "error_description": "of someone"}, "access_denied"),
        ({"error": "expired_token"}, "expired_token"),
        ({"error": "<script>"}, "invalid_answer"),
        ({"error": 7}, "invalid_answer"),
        ({}, "invalid_answer"),
    ],
)
def test_a_refusal_is_told_by_its_name_alone(answer: object, problem: str):
    with pytest.raises(DeviceSignInFailed) as failed:
        Scripted([(200, BEGUN), (400, answer)]).sign_in()
    assert failed.value.problem == problem
    for language in ("zh", "en"):
        assert problem in failed.value.sentence(language)
        assert "someone" not in failed.value.sentence(language)


def test_who_never_answers_is_waited_for_no_longer_than_the_code_lives():
    issuer = Scripted([(200, {**BEGUN, "expires_in": 9}), (400, PENDING)])
    with pytest.raises(DeviceSignInFailed, match="expired_token"):
        issuer.sign_in()
    assert sum(issuer.slept) == 10


def test_a_client_it_does_not_know_is_refused_before_anything_is_shown():
    issuer = Scripted([(401, {"error": "invalid_client"})])
    with pytest.raises(DeviceSignInFailed, match="invalid_client"):
        issuer.sign_in()
    assert issuer.shown == []


@pytest.mark.parametrize(
    "discovery",
    [
        {**DISCOVERY, "device_authorization_endpoint": "https://evil.test/device"},
        {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"},
    ],
)
def test_an_issuer_that_does_not_offer_it_at_its_own_host_is_named(discovery: object):
    with pytest.raises(DeviceSignInAbsent, match=r"issuer\.test"):
        Scripted([(200, BEGUN)], discovery).sign_in()


@pytest.mark.parametrize(
    "answers", [[(503, {})], [(200, BEGUN), (502, {})], [(200, {"device_code": "d"})], [(200, [])]]
)
def test_an_outage_is_no_refusal(answers: Sequence[tuple[int, object]]):
    with pytest.raises(IssuerUnreachable):
        Scripted(answers).sign_in()
