"""Every error has a status, a sentence in the caller's language, and says nothing it should not."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Annotated, Literal, get_type_hints

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

import catalog
import hub
import schemas
from hub.api import errors as api_errors
from hub.api.invalid import invalid_of
from hub.api.problems import headers_of, preferred_language, problem_of, respond, status_of
from hub.identity.errors import NotAuthenticated
from hub.store.errors import StoreUnreachable
from schemas.errors import BatchIdReused, HubError


def families() -> Iterator[type[HubError]]:
    for room in (schemas, catalog, hub):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if module.name.endswith("errors"):
                importlib.import_module(module.name)
    waiting: list[type[HubError]] = [HubError]
    while waiting:
        for error in waiting.pop().__subclasses__():
            waiting.append(error)
            if not error.__module__.startswith("connectors."):  # they never meet HTTP
                yield error


def an_instance(error: type[HubError]) -> HubError:
    hints = get_type_hints(error)
    given = {"int": 7, "float": 7.0, "str": "x"}
    values = {
        name: given.get(getattr(hints[name], "__name__", ""), "x" if "str" in str(hints[name]) else [])
        for name in inspect.signature(error).parameters
    }
    return error(**values)


ALL = sorted({error for error in families() if "code" in vars(error)}, key=lambda error: error.__qualname__)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_is_a_problem_in_both_languages(error: type[HubError]):
    assert 400 <= status_of(error) <= 599
    for language in ("zh", "en"):
        found = problem_of(an_instance(error), language)
        assert found.status == (503 if found.code == "hub_unavailable" else status_of(error))
        assert "{" not in found.detail
        assert found.type == f"/v1/problems/{found.code}"


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=1, le=10)]
    text: Annotated[str, Field(min_length=2, max_length=3)]
    one_of: Literal["json", "csv"]
    at: AwareDatetime
    several: list[int]
    flag: bool


@pytest.mark.parametrize(
    ("wrong", "zh", "en"),
    [
        ({"number": 0}, "number 应不小于 1", "number: it must be at least 1"),
        ({"number": 11}, "number 应不大于 10", "number: it must be at most 10"),
        ({"number": "many"}, "number 应为整数", "number: it must be a whole number"),
        ({"text": "a"}, "text 至少 2 个字符", "text: at least 2 characters"),
        ({"text": "abcd"}, "text 至多 3 个字符", "text: at most 3 characters"),
        ({"text": 7}, "text 应为文本", "text: it must be text"),
        ({"one_of": "xml"}, "one_of 应为 'json' 或 'csv'", "one_of: it must be 'json' or 'csv'"),
        ({"several": {}}, "several 应为数组", "several: it must be an array"),
        ({"flag": "perhaps"}, "flag 应为 true 或 false", "flag: it must be true or false"),
        ({"at": "soon"}, "at 应为时间,如 2026-11-25T08:00:00+08:00", "at: it must be a time"),
        ({"at": "2026-11-25T08:00:00"}, "at 应为带时区的时间", "at: a time with its offset"),
        ({"unknown": 1}, "unknown 没有此项", "unknown: there is nothing of this name here"),
    ],
)
def test_what_breaks_a_rule_is_told_in_the_callers_language_and_not_repeated(
    wrong: dict[str, object], zh: str, en: str
):
    right = {"number": 1, "text": "ab", "one_of": "csv", "at": "2026-11-25T08:00:00Z", "several": [], "flag": True}
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate(right | wrong)
    found = invalid_of(refused.value.errors())
    assert zh in found.sentence("zh")
    assert en in found.sentence("en")
    assert "many" not in found.sentence("en") + found.sentence("zh")


def test_what_nobody_foresaw_is_told_too():
    error = {"loc": ("query", "x"), "type": "value_error", "msg": "secret", "ctx": {"error": ValueError("secret")}}
    found = invalid_of([error])
    assert found.sentence("zh") == "请求参数不合规则:query.x 值不合规则。"
    assert "secret" not in found.sentence("en")


def test_an_error_of_an_unknown_family_has_no_status():
    class Stray(HubError):
        pass

    assert status_of(Stray) == 0


def test_the_same_id_for_other_bytes_is_a_conflict_not_a_mistake_in_the_batch():
    assert status_of(BatchIdReused) == 409


def test_what_the_store_says_of_its_server_is_not_told():
    found = problem_of(StoreUnreachable(server="db.internal:5432/hub", problem="password failed for user hub"), "en")
    assert (found.status, found.code) == (503, "hub_unavailable")
    assert "db.internal" not in found.model_dump_json()
    assert "password" not in found.model_dump_json()


def test_a_problem_says_when_to_come_back_and_how_to_sign_in():
    assert headers_of(api_errors.HubUnavailable(retry_after_seconds=0.2))["retry-after"] == "1"
    assert headers_of(StoreUnreachable(server="", problem=""))["retry-after"] == "2"
    assert headers_of(NotAuthenticated())["www-authenticate"].startswith("Bearer")
    assert headers_of(api_errors.ContentEncodingRefused()) == {"accept-encoding": "identity"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.3, zh;q=0.7", "zh"),
        ("fr, en;q=0.5", "en"),
        ("fr", "zh"),
        ("en;q=nonsense", "zh"),
        ("en;q=2", "zh"),
        ("en;q=0", "zh"),
        ("*" * 100_000, "zh"),
    ],
)
def test_the_language_is_the_one_the_caller_prefers(header: str, language: str):
    assert preferred_language(header) == language


def test_a_problem_names_its_language():
    answer = respond(problem_of(NotAuthenticated(), "en"), "en")
    assert answer.headers["content-language"] == "en"
    assert answer.headers["content-type"] == "application/problem+json"
