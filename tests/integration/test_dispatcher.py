"""Deliveries: verified, signed, decided anew, repeated under one number until acknowledged, stopped when denied."""

import base64
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dispatch_maker import Dispatching, dispatching
from receiver import Received, Receiver, acknowledging, answering, receiving
from release_maker import MASKED, RESIDENT, residents
from standing_maker import FILE, standing

from catalog.grant import Quota
from hub.exchange.log import Message
from hub.exchange.position import StoredPositions
from hub.release.errors import ReleaseRefused
from hub.subscription.destination import Allowed
from hub.subscription.push import Pusher, tls_context
from hub.subscription.signature import signed_text


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as made:
        yield made


@pytest.fixture
def hub(database_url: str, receiver: Receiver) -> Iterator[Dispatching]:
    with standing(database_url, RESIDENT) as stage, dispatching(stage, receiver) as made:
        yield made


def test_an_address_is_asked_before_anything_is_pushed_to_it(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.subscribe("push", receiver.address)
    assert (made.state, made.why) == ("paused", "verification")
    hub.change()
    assert hub.dispatcher.step()
    assert [list(one.json) for one in receiver.received] == [["subscription", "challenge"]]
    assert (hub.now(made).state, hub.now(made).verified) == ("active", True)


@pytest.mark.parametrize("status", [200, 404])
def test_an_address_that_does_not_answer_the_challenge_gets_nothing(hub: Dispatching, receiver: Receiver, status: int):
    def silent(handler: http.server.BaseHTTPRequestHandler, _: Received) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answer = silent
    hub.stage.out.grant(methods=FILE)
    made = hub.subscribe("push", receiver.address)
    hub.change()
    for _ in range(3):
        hub.due(made)
        assert hub.dispatcher.step()
    found = hub.now(made)
    assert (found.state, found.why, found.verified, receiver.deliveries) == ("paused", "failing", False, [])
    hub.due(made)
    assert not hub.dispatcher.step()


def test_changes_are_pushed_treated_signed_and_told_of(hub: Dispatching, receiver: Receiver):
    given = hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    hub.change(3)
    assert hub.settle() >= 1
    delivery = receiver.wait(1)[0]
    assert delivery.headers["Hub-Delivery"] == f"{made.id}:1"
    assert [one["op"] for one in delivery.json["changes"]] == ["put"] * 3
    assert {one["record"]["phone"] for one in delivery.json["changes"]} == {
        f"138****000{number}" for number in range(3)
    }
    text = signed_text(made.id + ":1", delivery.headers["Hub-Timestamp"], receiver.address, delivery.body)
    signature = base64.b64decode(delivery.headers["Hub-Signature"].removeprefix("sm2="))
    assert hub.dispatcher.signer.public.verify(text, signature)
    assert not hub.dispatcher.signer.public.verify(text + b"x", signature)
    found = hub.now(made)
    assert (found.deliveries, found.changes, found.failures, found.pending) == (1, 3, 0, 0)
    leaf = hub.stage.out.leaves("release.delivery")[0]
    assert (leaf["grant_id"], leaf["rows"], leaf["bytes"], leaf["trace_id"]) == (
        given.grant.id,
        3,
        len(delivery.body),
        f"{made.id}:1",
    )
    hub.change(2, name="改名")
    hub.settle()
    assert [one.headers["Hub-Delivery"].rpartition(":")[2] for one in receiver.deliveries] == ["1", "2"]


def test_what_is_not_acknowledged_comes_again_under_its_number(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    receiver.answer = answering(500)
    hub.change(2)
    assert hub.dispatcher.step()
    failing = hub.now(made)
    assert (failing.state, failing.failures, failing.failure, failing.pending) == (
        "active",
        1,
        "push_failed:status 500",
        1,
    )
    assert failing.next_at > failing.created_at
    hub.change(5, name="改名")  # what comes meanwhile is another delivery
    receiver.answer = acknowledging
    hub.due(made)
    hub.settle()
    first, again, second = receiver.deliveries
    assert first.headers["Hub-Delivery"] == again.headers["Hub-Delivery"]
    assert [one["record"]["_ref"] for one in first.json["changes"]] == [
        one["record"]["_ref"] for one in again.json["changes"]
    ]
    assert (len(again.json["changes"]), len(second.json["changes"])) == (2, 5)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(hub: Dispatching, receiver: Receiver, status: int):
    hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    receiver.answer = answering(status, Location="https://127.0.0.1:5432/")
    hub.change(1)
    hub.settle(1)
    assert hub.now(made).failure == f"push_failed:status {status}"
    assert len(receiver.deliveries) == 1


def test_it_pauses_when_it_fails_too_often_and_others_are_served_meanwhile(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    failing, topic = hub.verified(receiver), hub.subscribe("topic")
    receiver.answer = answering(503)
    hub.change(1)
    for _ in range(3):
        hub.settle()
        hub.due(failing)
    assert hub.now(topic).deliveries == 1
    found = hub.now(failing)
    assert (found.state, found.why, found.failures) == ("paused", "failing", 3)
    leaf = hub.stage.out.leaves("subscription.paused")[0]
    assert leaf["rule_ids"] == ["failing", "push_failed:status 503"]


def test_a_revoked_grant_stops_it_at_once_and_a_new_one_goes_on_where_it_was(hub: Dispatching, receiver: Receiver):
    given = hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    hub.stage.out.end(given)
    hub.change(2)
    hub.settle()
    assert receiver.deliveries == []
    found = hub.now(made)
    assert (found.state, found.why) == ("paused", "denied")
    assert hub.stage.out.leaves("release.refused")
    assert hub.stage.out.leaves("subscription.paused")[0]["decision"] == "denied"
    hub.stage.out.grant(methods=FILE)
    hub.stage.out.conn.execute("UPDATE subscription SET state = 'active', why = '' WHERE id = %s", [made.id])
    hub.settle()
    assert len(receiver.changes) == 2


def test_a_grant_revoked_while_a_delivery_leaves_stops_it_within_a_second(hub: Dispatching, receiver: Receiver):
    given = hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    waiting, ended = threading.Event(), threading.Event()

    def slow(_: http.server.BaseHTTPRequestHandler, __: Received) -> None:
        waiting.set()
        ended.wait(10)

    receiver.answer = slow
    hub.change(1)
    step = threading.Thread(target=hub.dispatcher.step)
    step.start()
    assert waiting.wait(10)
    hub.stage.out.end(given)
    began = time.monotonic()
    step.join(10)
    assert time.monotonic() - began < 1.0
    ended.set()
    assert hub.now(made).failure == "push_stopped"
    hub.due(made)
    hub.settle()
    assert (hub.now(made).state, hub.now(made).why) == ("paused", "denied")


def test_a_suspended_organization_gets_nothing_more(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    hub.stage.out.conn.execute("UPDATE application SET suspended_at = now()")
    hub.change(1)
    hub.settle()
    assert (hub.now(made).why, receiver.deliveries) == ("denied", [])


def test_a_changed_treatment_holds_for_a_delivery_that_is_repeated(hub: Dispatching, receiver: Receiver):
    given = hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    receiver.answer = answering(500)
    hub.change(1)
    hub.dispatcher.step()
    hub.stage.out.end(given)
    hub.stage.out.grant({**MASKED, "name": "masked"}, methods=FILE)
    receiver.answer = acknowledging
    hub.due(made)
    hub.settle()
    first, again = receiver.deliveries
    assert (first.json["changes"][0]["record"]["name"], again.json["changes"][0]["record"]["name"]) == ("张一", "张**")
    assert again.json["other_terms"] is True


def test_a_quota_used_up_waits_for_the_next_day_and_is_no_failure(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE, quota=Quota(rows=2))
    made = hub.verified(receiver)
    hub.change(5)
    hub.settle()
    found = hub.now(made)
    assert (found.failures, found.failure, found.state) == (0, "quota_used_up", "active")
    assert receiver.deliveries == []


def test_a_stalled_receiver_holds_a_thread_no_longer_than_its_time(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    ended = threading.Event()

    def dripping(handler: http.server.BaseHTTPRequestHandler, _: Received) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.1):
            handler.wfile.write(b"X: y\r\n")

    receiver.answer = dripping
    pusher = replace(hub.dispatcher.pusher, seconds_max=1.0)
    hub.change(1)
    began = time.monotonic()
    assert replace(hub.dispatcher, pusher=pusher).step()
    assert time.monotonic() - began < 3
    ended.set()
    assert hub.now(made).failure == "push_failed:timeout"


def test_a_certificate_of_an_unknown_authority_is_refused(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.subscribe("push", receiver.address)
    pusher = replace(hub.dispatcher.pusher, context=tls_context(None))
    assert replace(hub.dispatcher, pusher=pusher).step()
    assert (hub.now(made).failure, receiver.received) == ("push_failed:certificate", [])


def test_an_address_that_is_no_longer_allowed_is_not_connected_to(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    hub.change(1)
    strict = Pusher(Allowed(frozenset({receiver.port})), hub.dispatcher.pusher.context, 5)
    assert replace(hub.dispatcher, pusher=strict).step()
    assert (hub.now(made).failure, receiver.deliveries) == ("address_refused", [])


def test_a_topic_gets_what_a_receiver_would(hub: Dispatching):
    hub.stage.out.grant(methods=FILE)
    made = hub.subscribe("topic")
    hub.change(2)
    hub.settle()
    messages: list[Message] = []
    consumer = hub.log.consumer("test", "m", StoredPositions(hub.stage.out.conn), "subscription.")
    while not messages:
        messages = consumer.poll(10, 10**6, 1.0)
    consumer.close()
    message = messages[0]
    assert (message.topic, message.key) == (f"subscription.{made.id}", f"{made.id}:1")
    text = signed_text(f"{made.id}:1", message.headers["hub-timestamp"].decode(), made.topic, message.value or b"")
    signature = base64.b64decode(message.headers["hub-signature"].removeprefix(b"sm2="))
    assert hub.dispatcher.signer.public.verify(text, signature)


def test_several_dispatchers_never_serve_one_subscription_at_once(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    hub.verified(receiver)
    at_once, most, lock = 0, 0, threading.Lock()

    def counting(handler: http.server.BaseHTTPRequestHandler, received: Received) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        acknowledging(handler, received)

    receiver.answer = counting
    for _ in range(3):
        hub.change(2, name="改名")
        threads = [threading.Thread(target=hub.dispatcher.step) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    hub.settle()
    assert most == 1
    numbers = [int(one.headers["Hub-Delivery"].rpartition(":")[2]) for one in receiver.deliveries]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_dispatcher_that_died_is_followed_by_another(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=FILE)
    made = hub.verified(receiver)
    hub.change(1)
    conn = hub.stage.out.conn
    conn.execute("UPDATE subscription SET lease = gen_random_uuid(), leased_until = now() + interval '1 minute'")
    assert not hub.dispatcher.step()
    conn.execute("UPDATE subscription SET leased_until = now() - interval '1 second'")
    assert hub.settle() >= 1
    assert hub.now(made).deliveries == 1


def test_what_would_never_be_delivered_is_refused_at_once(hub: Dispatching, receiver: Receiver):
    hub.stage.out.grant(methods=frozenset({"api"}))
    with pytest.raises(ReleaseRefused):
        hub.subscribe("push", receiver.address)
    assert hub.stage.out.conn.execute("SELECT count(*) FROM subscription").fetchone() == (0,)
    assert residents(1)  # the register is not empty: it is the grant that is missing
