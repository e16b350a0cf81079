"""Every endpoint, every caller: who is answered, who is refused and how, and what abuse gets.

Made of the running door's OpenAPI document and of ``access_table``, which says who may. Each test goes over all
endpoints and tells all that is wrong at once; every refusal met on the way is looked at as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from access_matrix import NO_ACCESS, NOT_NOW, Matrix, Operation, absent, matrix_of, without_ids
from access_stage import ACTED_ON, HIDDEN, access_stage
from access_table import ALL, OVERSEERS, PUBLIC, TABLE
from plain_client import Answer
from release_maker import RESIDENT
from wrong_credentials import EVERYWHERE, wrong_credentials

from hub.store.cluster import Cluster

CALLERS: Final = sorted(ALL)
# Behind a token; open to the public too; answered on the short cut; with a body; for organizations alone.
ALL_CREDENTIALS_AT: Final = {
    "GET /v1/requests",
    "GET /v1/me",
    "GET /v1/datasets/{dataset}/records",
    "POST /v1/requests",
    "GET /v1/exchange/{dataset}",
}
RECORDS, QUERY = "GET /v1/datasets/{dataset}/records", "POST /v1/datasets/{dataset}/query"
EXPORT, CHANGES = "GET /v1/datasets/{dataset}/export", "GET /v1/datasets/{dataset}/changes"
Credentials = Mapping[str, Sequence[str]]


@pytest.fixture(scope="module")
def matrix(cluster: Cluster, migrated_template: str) -> Iterator[Matrix]:
    with access_stage(cluster, migrated_template, "access_matrix") as stage:
        made = matrix_of(stage)
        yield made
        made.client.close()


@pytest.fixture(scope="module")
def credentials(matrix: Matrix) -> Credentials:
    return wrong_credentials(matrix.stage)


@pytest.fixture(autouse=True)
def _every_refusal_is_looked_at(matrix: Matrix, credentials: Credentials) -> Iterator[None]:
    assert credentials  # made before any test enters a wrong password, which shuts sign-ins for a while
    yield
    assert matrix.seen() == []


def one_who_may(operation: Operation) -> str:
    """A caller who gets as far as can be."""
    return min(TABLE[operation.name].may - {PUBLIC})


# Who may -------------------------------------------------------------------------------------------------------------


def test_every_endpoint_of_the_document_stands_in_the_table(matrix: Matrix):
    assert {one.name for one in matrix.operations} == set(TABLE)


def test_who_shows_a_wrong_credential_is_nobody_everywhere(matrix: Matrix, credentials: Credentials):
    answers: set[str] = set()
    wrong: list[str] = []
    for operation in matrix.operations:
        for name in credentials if operation.name in ALL_CREDENTIALS_AT else EVERYWHERE:
            answer = matrix.send(operation, [("authorization", value) for value in credentials[name]])
            if not operation.needs_token:
                wrong += [] if answer.status == 200 else [f"{operation.name} with {name}: {answer.status}"]
            elif (answer.status, answer.code) != (401, "not_authenticated"):
                wrong.append(f"{operation.name} with {name}: {answer.status} {answer.code}")
            else:
                answers.add(str(without_ids(answer)))
    assert wrong == []
    assert len(answers) == 1  # what was wrong is not told


def test_each_caller_gets_what_the_table_says_and_a_foreign_object_is_as_one_that_is_not_there(matrix: Matrix):
    wrong: list[str] = []
    # What changes the stage comes last: reads, then who may not, then who may.
    asked = [
        (operation.method != "GET", caller in TABLE[operation.name].may, number, caller)
        for number, operation in enumerate(matrix.operations)
        for caller in CALLERS
    ]
    for _, _, number, caller in sorted(asked):
        operation = matrix.operations[number]
        acts = operation.method != "GET" and operation.path.startswith("/v1/catalog/")
        expected = TABLE[operation.name].status_for(caller, public_too=operation.public_too)
        answer = matrix.ask(operation, caller, {"dataset": ACTED_ON} if acts else None)
        found = f"{operation.name} as {caller}: {answer.status} {answer.code}, not {expected}"
        if expected == 200:
            wrong += [] if _is_answer(operation, answer) else [found]
        elif answer.status != expected or (expected == 403 and answer.code not in NO_ACCESS):
            wrong.append(found)
        elif expected == 404 and operation.objects:
            nothing = absent(operation.objects)
            names = (*nothing.values(), matrix.stage.objects[operation.objects[0]], ACTED_ON)
            if without_ids(answer, *names) != without_ids(matrix.ask(operation, caller, nothing), *names):
                wrong.append(f"{operation.name} as {caller}: a foreign object differs from none")
    assert wrong == []


def _is_answer(operation: Operation, answer: Answer) -> bool:
    if operation.method == "GET":
        return answer.status == 200
    not_acceptable = answer.status in {409, 422} and answer.code != "request_invalid"
    return answer.status < 300 or answer.code in NOT_NOW or not_acceptable


def test_a_dataset_one_may_not_know_of_is_as_one_that_is_not_there(matrix: Matrix):
    wrong: list[str] = []
    for operation in (one for one in matrix.operations if "dataset" in one.objects):
        for caller in sorted(ALL - OVERSEERS):
            answers = [matrix.ask(operation, caller, {"dataset": one}) for one in (HIDDEN, "420000.nothing")]
            hidden, nothing = (without_ids(one, HIDDEN, "420000.nothing") for one in answers)
            if hidden != nothing or answers[0].status not in {401, 403, 404}:
                wrong.append(f"{operation.name} as {caller}: {hidden}, not {nothing}")
    assert wrong == []


# What is sent --------------------------------------------------------------------------------------------------------


def test_a_member_nobody_asked_for_is_refused(matrix: Matrix):
    wrong: list[str] = []
    for operation in (one for one in matrix.operations if one.schema.get("properties")):
        for name in {"id", "approved_by", "owner_org", "secrecy", "tenant", "roles"} - set(
            operation.schema["properties"]
        ):
            body = operation.body(matrix.stage.objects) | {name: "x"}
            answer = matrix.ask(operation, one_who_may(operation), body=body)
            if answer.status != 422 or (operation.name != QUERY and f"body.{name}" not in answer.text):
                wrong.append(f"{operation.name} with {name}: {answer.status} {answer.text}")
    assert wrong == []


def test_a_parameter_nobody_asked_for_is_refused_and_so_is_one_that_stands_twice(matrix: Matrix):
    wrong: list[str] = []
    for operation in matrix.operations:
        known = [one for one in operation.parameters("query") if one["schema"].get("type") not in {"array", "object"}]
        single = [one for one in known if not _takes_many(one["schema"])]
        twice = [[(one["name"], str(operation.example(one)))] * 2 for one in single]
        for query in [[("nobody", "1")], *twice]:
            answer = matrix.ask(operation, one_who_may(operation), query=query)
            if answer.status != 422:
                wrong.append(f"{operation.name} with {query}: {answer.status} {answer.code}")
    assert wrong == []


def _takes_many(schema: Mapping[str, Any]) -> bool:
    return any(choice.get("type") == "array" for choice in schema.get("anyOf", ()))


SPOOFED: Final = [
    *(("x-forwarded-user", "root"), ("x-remote-user", "root"), ("x-forwarded-for", "127.0.0.1")),
    *(("forwarded", "for=127.0.0.1;host=evil.example"), ("x-forwarded-host", "evil.example"), ("host", "evil.example")),
    *(("x-original-url", "/v1/people"), ("x-rewrite-url", "/v1/people"), ("x-http-method-override", "DELETE")),
    *(("hub-organization", "gong-an"), ("hub-roles", "administrator"), ("hub-caller", "person:root")),
    *(("hub-tier", "steward"), ("hub-decision", "allowed"), ("cookie", "session=root"), ("x-api-key", "root")),
]


@pytest.mark.parametrize("caller", [PUBLIC, "another"])
def test_what_headers_say_of_the_caller_changes_nothing(matrix: Matrix, caller: str):
    wrong: list[str] = []
    for operation in (one for one in matrix.operations if one.method == "GET"):
        plain, spoofed = (without_ids(matrix.ask(operation, caller, headers=told)) for told in ([], SPOOFED))
        if spoofed != plain or "evil" in spoofed[2]:
            wrong.append(f"{operation.name}: {spoofed}, not {plain}")
    assert wrong == []


def test_a_body_beyond_its_use_is_refused_unread_before_anyone_is_asked_who_they_are(matrix: Matrix):
    wrong: list[str] = []
    for operation in (one for one in matrix.operations if one.method != "GET"):
        # A batch may be larger, and is taken from organizations alone: who they are is asked before any of it is read.
        expected = 401 if operation.path.endswith("/batches") else 413
        answer = matrix.client.ask(
            operation.method, operation.address(matrix.stage.objects), [("content-length", "100000000")]
        )
        matrix.client.close()
        if answer.status != expected:
            wrong.append(f"{operation.name}: {answer.status}")
    assert wrong == []


# Addresses -----------------------------------------------------------------------------------------------------------

STRANGE: Final = [
    *("..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e", "..%5c..%5cwin.ini", "%00", "a%00b", "%0d%0aset-cookie:%20a=b"),
    *("%ed%a0%80", "%ff%fe", "%EF%BC%85%EF%BC%90%EF%BC%90", "%E2%80%AE%F0%9F%92%A9", "%250d%250a", "x" * 2_048),
    *("'%20OR%20'1'='1", "1;DROP%20TABLE%20request", "-1", "9" * 30, "%7Brequest%7D", "$%7Bjndi:ldap://x%7D"),
]


def test_a_strange_address_is_refused_in_words(matrix: Matrix):
    wrong: list[str] = []
    declared: set[str] = set()  # all values where a parameter is declared in its way for the first time, some elsewhere
    for operation in matrix.operations:
        for parameter in operation.parameters("path"):
            name, way = parameter["name"], f"{operation.method == 'GET'} {parameter['schema']}"
            values = STRANGE if way not in declared else STRANGE[::4]
            declared.add(way)
            for value in values:
                answer = matrix.ask(operation, one_who_may(operation), {name: value})
                if not 400 <= answer.status < 500 or "set-cookie" in answer.headers:
                    wrong.append(f"{operation.name} with {name}={value[:40]}: {answer.status}")
    assert wrong == []


def test_an_address_has_one_spelling(matrix: Matrix):
    wrong: list[str] = []
    for operation in matrix.operations:
        path = operation.address(matrix.stage.objects).partition("?")[0]
        bearer = [("authorization", f"Bearer {matrix.stage.tokens['administrator']}")]
        for other in (path + "/", path.upper(), path.replace("/v1/", "/v1//", 1), path.replace("/v1", "/v1/%2e", 1)):
            answer = matrix.client.ask(operation.method, other, bearer)
            of_records = "{reference}" in operation.path  # a reference may end with a slash
            if answer.status != 404 and not (of_records and answer.code == "release_refused"):
                wrong.append(f"{operation.method} {other}: {answer.status}")
    assert wrong == []


# Release -------------------------------------------------------------------------------------------------------------


def named(matrix: Matrix, name: str) -> Operation:
    return next(one for one in matrix.operations if one.name == name)


def cursors(matrix: Matrix) -> Iterator[tuple[Operation, str, str, list[tuple[str, str]]]]:
    """Every cursor of the holder's: where it counts, by which name, and what else to ask so that it is of nothing."""
    page = matrix.ask(named(matrix, RECORDS), "holder", query=[("limit", "1")]).json()
    following = parse_qs(urlsplit(page["next"]).query)["cursor"][0]
    yield named(matrix, RECORDS), "cursor", following, [("sort", "sex")]
    feed = matrix.ask(named(matrix, CHANGES), "holder").json()
    yield named(matrix, CHANGES), "after", feed["after"], []
    shown = matrix.ask(named(matrix, "GET /v1/exports/{export}"), "holder").json()
    yield named(matrix, EXPORT), "after", shown["points"][0]["after"], [("format", "ndjson")]


def test_a_cursor_that_was_touched_or_is_anothers_is_none(matrix: Matrix):
    wrong: list[str] = []
    for operation, name, cursor, other_query in cursors(matrix):
        middle = len(cursor) // 2
        flipped = f"{cursor[:middle]}{'A' if cursor[middle] != 'A' else 'B'}{cursor[middle + 1 :]}"
        given: list[tuple[str, str, list[tuple[str, str]]]] = [
            *(("holder", one, []) for one in (flipped, cursor[:middle], f"{cursor}A", "AAAA", "../../x", "\x00")),
            *(("steward", cursor, []), ("person of the holder", cursor, [])),
            *([("holder", cursor, other_query)] if other_query else []),
        ]
        assert matrix.ask(operation, "holder", query=[(name, cursor)]).status == 200
        for caller, one, others in given:
            answer = matrix.ask(operation, caller, query=[(name, one), *others])
            if answer.code not in {"cursor_wrong", "request_invalid"}:
                wrong.append(f"{operation.name} as {caller} with {one[:20]} {others}: {answer.status} {answer.code}")
    assert wrong == []


HIDDEN_FIELDS: Final = ("phone", "address", "marital_status", "_version", "_taken", "ctid")
NO_FIELD: Final = "no_such_field"


def test_a_field_one_may_not_see_is_as_one_that_is_not_there(matrix: Matrix):
    def asked(field: str) -> list[object]:
        """All that could tell something of a field's values."""
        addresses: list[list[tuple[str, str]]] = [
            *([(field, value)] for value in ("1", "prefix:1", "in:1,2", "from:1,until:2", "known:true", "ne:1", "eq:")),
            *([("sort", one)] for one in (field, f"-{field}", f"sex,{field}")),
        ]
        bodies: list[dict[str, Any]] = [
            *(
                {"filter": {"field": field} | one}
                for one in ({"op": "=", "value": "1"}, {"prefix": "1"}, {"known": True})
            ),
            {"filter": {"all": [{"field": "sex", "known": True}, {"not": {"field": field, "known": True}}]}},
            {"sort": [field]},
        ]
        answers = [matrix.ask(named(matrix, RECORDS), "holder", query=one) for one in addresses]
        answers += [matrix.ask(named(matrix, QUERY), "holder", body=one) for one in bodies]
        for name in (EXPORT, CHANGES, "GET /v1/statistics/{dataset}/{aggregate}", "GET /v1/subscriptions"):
            answers.append(matrix.ask(named(matrix, name), "holder", query=[(field, "1")]))
        wanted = named(matrix, "POST /v1/subscriptions")
        filtered = wanted.body(matrix.stage.objects) | {"filter": {"field": field, "known": True}}
        answers.append(matrix.ask(wanted, "holder", body=filtered))
        assert {one.status for one in answers} == {422}, (field, [(one.status, one.code) for one in answers])
        return [without_ids(one, field) for one in answers]

    nothing = asked(NO_FIELD)
    assert {field for field in HIDDEN_FIELDS if asked(field) != nothing} == set()


INJECTED: Final = [
    *("' OR '1'='1", '1\' UNION SELECT id_number FROM data."420000_resident" --', "'; SELECT pg_sleep(5) --", "\\"),
    *("%' --", "{{7*7}}", "${7*7}", "$$ OR 1=1 $$", "in:x,y') OR ('1'='1", "prefix:%", "prefix:_", "1\x002"),
]


def test_what_looks_like_a_question_to_the_store_is_a_text(matrix: Matrix):
    wrong: list[str] = []
    records, query = named(matrix, RECORDS), named(matrix, QUERY)
    for text in INJECTED:
        plain = text.removeprefix("in:").removeprefix("prefix:")
        answers = [
            *(matrix.ask(records, "holder", query=[("division_code", one)]) for one in (text, f"eq:{plain}")),
            *(
                matrix.ask(records, "holder", query=[(one, text)])
                for one in ("sort", "fields", "cursor", "bbox", "as_of")
            ),
            matrix.ask(records, "holder", query=[(text, "1")]),
            *(matrix.ask(query, "holder", body=one) for one in ({"sort": [text]}, {"fields": [text]}, {"count": text})),
            matrix.ask(query, "holder", body={"filter": {"field": "division_code", "prefix": plain}}),
            matrix.ask(query, "holder", body={"filter": {"field": text, "op": "=", "value": "1"}}),
        ]
        for number, answer in enumerate(answers):
            found = [] if answer.status != 200 else answer.json()["records"]
            if answer.status not in {200, 422} or found:
                wrong.append(f"{text} {number}: {answer.status} {answer.text[:200]}")
    assert wrong == []
    counted = matrix.ask(records, "holder", query=[("count", "exact"), ("limit", "1")]).json()["count"]
    assert counted == {"kind": "exact", "value": 3_030}, f"{RESIDENT} lost records"
