"""What a grant may say: the contract's fields, their labels, the entry's share type, and no more than was asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from catalog.condition import fields_of
from catalog.grant import Grant, Method, Treatment
from catalog.grant_errors import GrantTooWide, GrantWrong
from catalog.request import Elements, Request
from catalog.resource import FieldLabel, Resource
from catalog.treatment import RANK

TERM_YEARS_MAX = 5
YEARS: Final = range(2000, 2200)  # of a term
EMERGENCY_DAYS_MAX = 30  # of an emergency grant; a longer need is an ordinary request's
TEXT_CHARACTERS_MAX = 1_000
LAW_LEVEL: Final = 4  # from this level on a field is given clear only by the law that names it


@dataclass(frozen=True, slots=True)
class Broken:
    """One rule that is broken, and where."""

    where: str
    zh: str
    en: str


def check_grant(grant: Grant, resource: Resource, request: Request | None) -> None:
    """Refuse a grant that its dataset does not allow or that is wider than its request.

    Raises:
        GrantWrong: every rule of contract, classification, entry and term that is broken.
        GrantTooWide: every element wider than asked for.
    """
    broken = [*_of_fields(grant, resource), *_of_dataset(grant, resource), *_of_term(grant), *_of_texts(grant)]
    if broken:
        raise GrantWrong(**_listed(broken))
    wider = () if request is None else tuple(wider_than(grant, request))
    if wider:
        raise GrantTooWide(**_listed(wider))


def check_elements(elements: Elements, resource: Resource) -> tuple[Broken, ...]:
    """What is wrong in a request's elements, so far as they are given: a request is checked like the grant it wants."""
    broken = [broken for name in elements.fields for broken in _of_field(name, resource.fields.get(name))]
    broken += [_bad("fields", "处理方式有误", "no such treatment")] * any(
        treatment not in get_args(Treatment) for treatment in elements.fields.values()
    )
    start, end = elements.valid_from, elements.valid_until
    if start is not None and end is not None:
        broken += _of_interval(start, end, timedelta(days=366 * TERM_YEARS_MAX))
    broken += [broken for instant in (start, end) if instant is not None for broken in _of_instant(instant)]
    texts = (("basis", elements.basis), ("scenario", elements.scenario), ("consent", elements.consent))
    broken += [broken for name, text in texts if text is not None for broken in _of_text(name, text)]
    return tuple(broken)


# Contract, labels and entry ------------------------------------------------------------------------------------------


def _of_fields(grant: Grant, resource: Resource) -> Iterator[Broken]:
    if not grant.fields or all(treatment == "withheld" for treatment in grant.fields.values()):
        yield _bad("fields", "未授权任何数据项", "no field is granted")
    for name, treatment in grant.fields.items():
        label = resource.fields.get(name)
        yield from _of_field(name, label)
        if treatment not in get_args(Treatment):
            yield _bad(f"fields.{name}", "处理方式有误", "no such treatment")
        if label is not None and treatment == "clear" and label.level == LAW_LEVEL and not _law(grant, name):
            yield _bad(f"fields.{name}", "4 级数据项明文提供须指明法律条文", "level 4 is clear by a named law only")
    for name in grant.laws:
        if name not in grant.fields:
            yield _bad(f"laws.{name}", "该数据项未在授权之列", "the field is not among those granted")
        elif not _law(grant, name):
            yield _bad(f"laws.{name}", "法律条文为空", "the law is empty")
    for name in () if grant.rows is None else sorted(fields_of(grant.rows)):
        yield from (Broken(f"rows.{name}", one.zh, one.en) for one in _of_field(name, resource.fields.get(name)))


def _of_field(name: str, label: FieldLabel | None) -> Iterator[Broken]:
    if label is None:
        yield _bad(f"fields.{name}", "数据契约中没有此数据项", "the contract has no such field")
    elif label.level is None:
        yield _bad(f"fields.{name}", "尚未分级,不得提供", "it is not labelled, so it does not leave")
    elif not isinstance(label.level, int):
        yield _bad(f"fields.{name}", "重要、核心数据不得提供", "important and core data do not leave")


def _of_dataset(grant: Grant, resource: Resource) -> Iterator[Broken]:
    if resource.dataset != grant.dataset:
        yield _bad("dataset", "数据资源不符", "it is another dataset's")
    if resource.entry_version is None:
        yield _bad("dataset", "目录条目尚未发布", "its entry is not published")
    elif not resource.secrecy_passed:
        yield _bad("dataset", "未通过保密审查", "its entry has not passed secrecy review")
    if resource.share == "not_shared":
        yield _bad("dataset", "不予共享(条例第十四条)", "it is not shared (article 14)")


def _of_term(grant: Grant) -> Iterator[Broken]:
    most = timedelta(days=EMERGENCY_DAYS_MAX if grant.kind == "emergency" else 366 * TERM_YEARS_MAX)
    yield from _of_interval(grant.valid_from, grant.valid_until, most)


def _of_interval(start: datetime, end: datetime, most: timedelta) -> Iterator[Broken]:
    broken = [*_of_instant(start), *_of_instant(end)]
    if broken:
        yield from broken
    elif start >= end:
        yield _bad("term", "起始须早于截止", "it must begin before it ends")
    elif end - start > most:
        yield _bad("term", f"至多 {most.days} 天", f"at most {most.days} days")


def _of_instant(instant: datetime) -> Iterator[Broken]:
    if instant.tzinfo is None:
        yield _bad("term", "起止时间须带时区", "both ends need a time zone")
    elif instant.year not in YEARS:
        yield _bad(
            "term", f"年份须在 {YEARS.start} 至 {YEARS.stop - 1} 之间", f"years {YEARS.start} to {YEARS.stop - 1}"
        )


def _of_text(name: str, text: str) -> Iterator[Broken]:
    if not is_text(text):
        most = TEXT_CHARACTERS_MAX
        yield _bad(name, f"至多 {most} 字,不含空字符", f"at most {most} characters of text")


def is_text(text: str) -> bool:
    """Whether a text can be kept by store and ledger: not too long, no NUL, no lone surrogate."""
    return len(text) <= TEXT_CHARACTERS_MAX and not any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in text)


def _of_texts(grant: Grant) -> Iterator[Broken]:
    for name, text in (("purpose", grant.purpose), ("basis", grant.basis)):
        if not text.strip():
            yield _bad(name, "不能为空", "it is empty")
        yield from _of_text(name, text)
    for name, law in grant.laws.items():
        yield from _of_text(f"laws.{name}", law)
    if not grant.methods or not grant.methods <= set(get_args(Method)):
        known = ", ".join(get_args(Method))
        yield _bad("methods", f"应为 {known} 中至少一种", f"at least one of {known}")
    quota = grant.quota
    if any(limit is not None and not 0 <= limit < 2**53 for limit in (quota.requests, quota.rows, quota.bytes)):
        yield _bad("quota", "须为非负整数", "limits are whole numbers from 0")
    if grant.kind == "ordinary" and grant.request is None:
        yield _bad("request", "普通授权须基于申请(条例第二十条)", "an ordinary grant answers a request (article 20)")


def _law(grant: Grant, name: str) -> bool:
    return bool(grant.laws.get(name, "").strip())


# Never wider than the request ----------------------------------------------------------------------------------------


def wider_than(grant: Grant, request: Request) -> Iterator[Broken]:
    """The elements in which a grant is wider than its request.

    Rows are not compared here: whoever proposes only adds a condition to the request's (``conjunction``).
    """
    elements = request.elements
    if grant.holder != request.holder:
        yield _bad("holder", "须为申请方", "it must be the requester's")
    if grant.dataset != request.dataset:
        yield _bad("dataset", "须为所申请的数据资源", "it must be the dataset asked for")
    for name, treatment in grant.fields.items():
        asked = elements.fields.get(name, "withheld")
        if treatment != asked and RANK[treatment] >= RANK[asked]:
            yield _bad(f"fields.{name}", f"申请的是 {asked}", f"{asked} was asked for")
    if not grant.methods <= elements.methods:
        yield _bad("methods", "含有未申请的共享方式", "a way that was not asked for")
    if elements.valid_from is None or elements.valid_until is None:
        yield _bad("term", "申请没有使用时限", "the request has no term")
    elif grant.valid_from < elements.valid_from or grant.valid_until > elements.valid_until:
        yield _bad("term", "超出申请的使用时限", "it reaches beyond the term asked for")
    if grant.purpose != elements.scenario:
        yield _bad("purpose", "须为申请的使用场景", "it must be the scenario asked for")


def _bad(where: str, zh: str, en: str) -> Broken:
    return Broken(where, zh, en)


def _listed(broken: Sequence[Broken]) -> dict[str, Any]:
    return {
        "problems": [{"where": one.where, "zh": one.zh, "en": one.en} for one in broken],
        "listed_zh": ";".join(f"{one.where}:{one.zh}" for one in broken),
        "listed_en": "; ".join(f"{one.where}: {one.en}" for one in broken),
    }
