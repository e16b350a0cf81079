"""Acts on entries over a real store: who may, what is bound to what, and what a decision sees of it."""

from datetime import timedelta

import entry_maker
import psycopg
import pytest
from entry_maker import NOW, given, office, person, publish, register

from catalog.caller import Caller
from catalog.entry_errors import (
    EntryChanged,
    EntryStepWrong,
    EntryUnknown,
    EntryWrong,
    FieldsUnlabelled,
    LevelNotRaised,
    SecrecyReviewMissing,
)
from catalog.entry_store import find_published, list_events, list_versions
from catalog.epoch_store import bump_epoch, current_epoch
from catalog.errors import RoleNeeded
from catalog.request_errors import OnePersonTwice
from catalog.resource_store import resource_of
from hub.acts import entries
from hub.acts.entries import SecrecyOpinion
from hub.exchange.registry_store import register_contract
from hub.ledger.leaf import read_record
from hub.ledger.leaf_store import last_leaves
from schemas.contract import Contract

RESIDENT = "420000.resident"
WHO = office()
PASSED = SecrecyOpinion(passed=True, opinion="不涉密", impact="已评估")


@pytest.fixture
def conn(connection: psycopg.Connection) -> psycopg.Connection:
    register(connection, "resident")
    return connection


def submitted(conn: psycopg.Connection) -> tuple[int, str]:
    made = entries.draft(conn, WHO.steward, RESIDENT, given("resident"), NOW)
    entries.submit(conn, WHO.steward, RESIDENT, made.version, made.sm3, NOW)
    return made.version, made.sm3


def test_an_entry_goes_from_draft_to_published_and_every_act_is_a_leaf(conn: psycopg.Connection):
    made = publish(conn, "resident")
    assert (made.version, made.state, made.published_at) == (1, "published", NOW)
    acts = [event.act for event in list_events(conn, RESIDENT, 1)]
    assert acts == ["draft", "submit", "review", "secrecy_review", "publish"]
    leaves = [read_record(leaf) for leaf in reversed(last_leaves(conn, 5))]
    assert [leaf["action"] for leaf in leaves] == [
        "entry.drafted", "entry.submitted", "entry.reviewed", "entry.secrecy_reviewed", "entry.published",
    ]  # fmt: skip
    assert {leaf["result_digest"] for leaf in leaves} == {made.sm3}
    assert {leaf["object"] for leaf in leaves} == {f"dataset:{RESIDENT}"}


def test_a_published_entry_is_a_resource_and_nothing_else_is(conn: psycopg.Connection):
    assert resource_of(conn, "420000.nothing") is None
    before = resource_of(conn, RESIDENT)
    assert before is not None
    assert (before.entry_version, before.secrecy_passed, before.share) == (None, False, None)
    assert {label.level for label in before.fields.values()} == {None}
    publish(conn, "resident")
    resource = resource_of(conn, RESIDENT)
    assert resource is not None
    assert (resource.entry_version, resource.secrecy_passed) == (1, True)
    assert (resource.share, resource.open, resource.personal) == ("conditional", "conditional", True)
    assert (resource.fields["id_number"].level, resource.fields["id_number"].kind) == (4, "citizen_id")
    assert resource.key == ("id_number",)


def test_who_submitted_cannot_review_publish_or_pass_it_also_by_another_account(conn: psycopg.Connection):
    version, sm3 = submitted(conn)
    double = person("second-account", "reviewer", "administrator", human="steward-gong-an")
    with pytest.raises(OnePersonTwice):
        entries.review(conn, double, RESIDENT, version, sm3, NOW)
    with pytest.raises(OnePersonTwice):
        entries.secrecy_review(conn, double, RESIDENT, version, sm3, PASSED, NOW)
    entries.review(conn, WHO.reviewer, RESIDENT, version, sm3, NOW)
    entries.secrecy_review(conn, WHO.secrecy, RESIDENT, version, sm3, PASSED, NOW)
    for one in (double, person("both", "administrator", human="reviewer")):
        with pytest.raises(OnePersonTwice):
            entries.publish(conn, one, RESIDENT, version, sm3, NOW)
    assert find_published(conn, RESIDENT) is None


@pytest.mark.parametrize("roles", [(), ("steward",), ("auditor",), ("developer",), ("operator",)])
def test_reviewing_takes_its_role(conn: psycopg.Connection, roles: tuple[entry_maker.Role, ...]):
    version, sm3 = submitted(conn)
    with pytest.raises(RoleNeeded):
        entries.review(conn, person("somebody", *roles), RESIDENT, version, sm3, NOW)
    with pytest.raises(RoleNeeded):
        entries.publish(conn, person("somebody", *roles), RESIDENT, version, sm3, NOW)


def test_a_steward_of_another_organization_learns_nothing(conn: psycopg.Connection):
    stranger = office("min-zheng").steward
    for dataset in (RESIDENT, "420000.nothing"):
        with pytest.raises(EntryUnknown):
            entries.draft(conn, stranger, dataset, given("resident"), NOW)
        with pytest.raises(EntryUnknown):
            entries.withdraw(conn, stranger, dataset, "no reason", NOW)
        with pytest.raises(EntryUnknown):
            entries.raise_level(conn, stranger, dataset, "name", "core", "no reason", NOW)
        with pytest.raises(RoleNeeded):
            entries.draft(conn, Caller("organization:gong-an", "gong-an", tier="department"), dataset, {}, NOW)


def test_an_approval_counts_for_exactly_what_was_looked_at(conn: psycopg.Connection):
    version, sm3 = submitted(conn)
    wrong = "0" * 64
    with pytest.raises(EntryChanged):
        entries.review(conn, WHO.reviewer, RESIDENT, version, wrong, NOW)
    with pytest.raises(EntryChanged):
        entries.secrecy_review(conn, WHO.secrecy, RESIDENT, version, wrong, PASSED, NOW)
    with pytest.raises(EntryStepWrong):
        entries.draft(conn, WHO.steward, RESIDENT, given("resident", update_cycle="weekly"), NOW)
    assert entries.review(conn, WHO.reviewer, RESIDENT, version, sm3, NOW).sm3 == sm3


def test_the_database_itself_keeps_a_submitted_version(conn: psycopg.Connection):
    submitted(conn)
    for statement in (
        "UPDATE entry_version SET content = replace(content, 'daily', 'weekly')",
        "UPDATE entry_version SET sm3 = repeat('0', 64)",
        "DELETE FROM entry_version",
    ):
        with pytest.raises(psycopg.errors.RaiseException), conn.transaction():
            conn.execute(statement.encode())


def test_content_changed_behind_the_hubs_back_is_not_approved(conn: psycopg.Connection):
    version, sm3 = submitted(conn)
    conn.execute("ALTER TABLE entry_version DISABLE TRIGGER entry_version_is_kept")
    conn.execute("UPDATE entry_version SET content = replace(content, '\"daily\"', '\"yearly\"')")
    with pytest.raises(EntryChanged):
        entries.review(conn, WHO.reviewer, RESIDENT, version, sm3, NOW)


def test_a_draft_may_change_and_what_is_sent_back_becomes_the_next_version(conn: psycopg.Connection):
    first = entries.draft(conn, WHO.steward, RESIDENT, given("resident"), NOW)
    second = entries.draft(conn, WHO.steward, RESIDENT, given("resident", update_cycle="weekly"), NOW)
    assert (first.version, second.version) == (1, 1)
    assert first.sm3 != second.sm3
    with pytest.raises(EntryChanged):
        entries.submit(conn, WHO.steward, RESIDENT, 1, first.sm3, NOW)
    entries.submit(conn, WHO.steward, RESIDENT, 1, second.sm3, NOW)
    with pytest.raises(EntryWrong):
        entries.send_back(conn, WHO.reviewer, RESIDENT, 1, " ", NOW)
    assert entries.send_back(conn, WHO.reviewer, RESIDENT, 1, "更新周期有误", NOW).state == "sent_back"
    third = entries.draft(conn, WHO.steward, RESIDENT, given("resident"), NOW)
    assert third.version == 2
    assert [one.state for one in list_versions(conn, RESIDENT)] == ["draft", "sent_back"]


def test_nothing_is_published_without_a_passed_secrecy_review(conn: psycopg.Connection):
    version, sm3 = submitted(conn)
    entries.review(conn, WHO.reviewer, RESIDENT, version, sm3, NOW)
    with pytest.raises(SecrecyReviewMissing):
        entries.publish(conn, WHO.administrator, RESIDENT, version, sm3, NOW)
    opinion = SecrecyOpinion(passed=True, opinion="不涉密")
    with pytest.raises(EntryWrong):  # article 13: personal information is assessed
        entries.secrecy_review(conn, WHO.secrecy, RESIDENT, version, sm3, opinion, NOW)
    failed = SecrecyOpinion(passed=False, opinion="含未公开事项")
    assert not entries.secrecy_review(conn, WHO.secrecy, RESIDENT, version, sm3, failed, NOW).passed
    with pytest.raises(SecrecyReviewMissing):
        entries.publish(conn, WHO.administrator, RESIDENT, version, sm3, NOW)


def test_a_secrecy_review_that_fails_later_takes_effect_at_once(conn: psycopg.Connection):
    made = publish(conn, "resident")
    epoch = current_epoch(conn)
    failed = SecrecyOpinion(passed=False, opinion="发现未公开事项")
    entries.secrecy_review(conn, WHO.secrecy, RESIDENT, made.version, made.sm3, failed, NOW)
    resource = resource_of(conn, RESIDENT)
    assert resource is not None
    assert not resource.secrecy_passed
    assert current_epoch(conn) > epoch


def test_an_unlabelled_field_is_not_submitted_or_published(conn: psycopg.Connection):
    unlabelled = given("resident")
    del unlabelled["labels"]["phone"]
    made = entries.draft(conn, WHO.steward, RESIDENT, unlabelled, NOW)
    with pytest.raises(FieldsUnlabelled, match="phone"):
        entries.submit(conn, WHO.steward, RESIDENT, made.version, made.sm3, NOW)


def test_a_field_the_contract_got_later_is_unlabelled_until_the_entry_says(conn: psycopg.Connection):
    version, sm3 = submitted(conn)
    entries.review(conn, WHO.reviewer, RESIDENT, version, sm3, NOW)
    entries.secrecy_review(conn, WHO.secrecy, RESIDENT, version, sm3, PASSED, NOW)
    register_contract(conn, with_field(entry_maker.contracts()["resident"], "nickname", level=1))
    with pytest.raises(FieldsUnlabelled, match="nickname"):
        entries.publish(conn, WHO.administrator, RESIDENT, version, sm3, NOW)


def test_a_published_dataset_withholds_a_field_that_its_contract_got_later(conn: psycopg.Connection):
    publish(conn, "resident")
    epoch = current_epoch(conn)
    register_contract(conn, with_field(entry_maker.contracts()["resident"], "nickname", level=1))
    resource = resource_of(conn, RESIDENT)
    assert resource is not None
    assert resource.fields["nickname"].level is None
    assert current_epoch(conn) > epoch


def with_field(contract: Contract, name: str, level: int) -> str:
    import json

    changed = json.loads(contract.source)
    changed["hub"]["version"] = contract.version + 1
    hub = {"title": {"zh": "别名", "en": "nickname"}, "type": "C", "level": level, "checks": []}
    changed["fields"].append({"name": name, "type": ["null", "string"], "hub": hub})
    return json.dumps(changed, ensure_ascii=False)


def test_revising_replaces_the_version_in_force_and_withdrawing_ends_it(conn: psycopg.Connection):
    publish(conn, "resident")
    publish(conn, "resident", update_cycle="weekly")
    assert [one.state for one in list_versions(conn, RESIDENT)] == ["published", "revised"]
    withdrawn = entries.withdraw(conn, WHO.steward, RESIDENT, "职责调整", NOW)
    assert (withdrawn.version, withdrawn.state) == (2, "withdrawn")
    resource = resource_of(conn, RESIDENT)
    assert resource is not None
    assert resource.entry_version is None
    with pytest.raises(EntryStepWrong):
        entries.withdraw(conn, WHO.steward, RESIDENT, "again", NOW)


def test_a_level_is_raised_at_once_never_lowered_and_settled_by_the_next_version(conn: psycopg.Connection):
    publish(conn, "resident")
    entries.raise_level(conn, WHO.steward, RESIDENT, "education", "important", "汇聚后涉及重要数据", NOW)
    resource = resource_of(conn, RESIDENT)
    assert resource is not None
    assert resource.fields["education"].level == "important"
    for level in (2, 4, "important"):
        with pytest.raises(LevelNotRaised):
            entries.raise_level(conn, WHO.steward, RESIDENT, "education", level, "no", NOW)
    with pytest.raises(EntryWrong):
        entries.raise_level(conn, WHO.steward, RESIDENT, "nothing", 4, "no", NOW)
    publish(conn, "resident", now=NOW + timedelta(days=1))
    resource = resource_of(conn, RESIDENT)
    assert resource is not None
    assert resource.fields["education"].level == 2


def test_an_entry_cannot_label_below_its_contract(conn: psycopg.Connection):
    lower = given("resident")
    lower["labels"]["id_number"]["level"] = 3
    with pytest.raises(EntryWrong, match="id_number"):
        entries.draft(conn, WHO.steward, RESIDENT, lower, NOW)


def test_the_epoch_rises_with_every_act_and_tells_who_listens(database_url: str):
    with psycopg.connect(database_url) as conn, psycopg.connect(database_url, autocommit=True) as listener:
        register(conn, "resident")
        conn.commit()
        listener.execute("LISTEN policy_epoch")
        before = current_epoch(conn)
        entries.draft(conn, WHO.steward, RESIDENT, given("resident"), NOW)
        assert bump_epoch(conn) > before + 1
        conn.commit()
        assert len(list(listener.notifies(timeout=2, stop_after=1))) == 1
