"""What schemathesis is told of this hub, loaded into its process as its hooks: two checks, and what to leave alone."""

import os
from typing import Any

import schemathesis
from schemathesis import CheckContext, HookContext, Response
from schemathesis.schemas import Case  # pyright: ignore[reportPrivateImportUsage] - where its hooks find it

PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "code", "parameters"}
ABSENT = "01999999-0000-7000-8000-000000000000"


@schemathesis.check
def what_the_document_allows_is_understood(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """The document may be no wider than the door: ``request_invalid`` is what breaks a signature.

    It stands in for the part of positive_data_acceptance that ``conformance`` turns down. Values that links bring are
    not drawn from the document.
    """
    if case.meta is None or case.meta.phase.name == "stateful" or not case.meta.generation.mode.is_positive:
        return
    if response.status_code == 422:
        code = response.json()["code"]
        assert code != "request_invalid", f"the document allows what the door does not: {response.json()['detail']}"


@schemathesis.check
def every_refusal_is_a_problem(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """RFC 9457, in a language, and without anything of the hub's inside."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    assert response.headers["content-type"] == [PROBLEM]
    assert response.headers["content-language"][0] in {"zh", "en"}
    problem = response.json()
    assert set(problem) == MEMBERS
    assert problem["status"] == response.status_code
    inside = [word for word in ("Traceback", "psycopg", "SELECT ", "site-packages") if word in response.text]
    assert not inside, f"an answer tells of the inside: {inside}"


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], kwargs: dict[str, object]) -> None:
    """An administrator who suspends itself, or the application it signed in through, ends the run: others do it."""
    del kwargs
    for name in ("person", "application"):
        if case.path_parameters.get(name) in os.environ["CONFORMANCE_SPARED"].split():
            case.path_parameters[name] = ABSENT
