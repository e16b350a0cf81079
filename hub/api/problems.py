"""Errors as RFC 9457 problems: one table says which status each class has; the core knows no HTTP."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from catalog import (
    aggregate_errors,
    clock_errors,
    entry_errors,
    grant_errors,
    key_errors,
    request_errors,
    subscription_errors,
    tier_errors,
)
from catalog import errors as catalog_errors
from hub import errors as hub_errors
from hub import keys_errors
from hub.api import errors as api_errors
from hub.exchange import signature_errors, subject_errors
from hub.identity import errors as identity_errors
from hub.ledger import errors as ledger_errors
from hub.release import errors as release_errors
from hub.release import export_errors
from hub.store import errors as store_errors
from hub.subscription import errors as push_errors
from schemas import errors as schemas_errors
from schemas.errors import HubError, Language
from schemas.national import errors as crypto_errors

MEDIA_TYPE = "application/problem+json"
TYPE_PATH = "/v1/problems/"

# The status of a class is its own or that of its nearest ancestor here. 422: understood and not acceptable.
STATUS: Mapping[type[HubError], int] = {
    schemas_errors.ContractError: 422,
    schemas_errors.BatchError: 422,
    schemas_errors.BatchIdReused: 409,
    schemas_errors.BatchTooLarge: 413,
    signature_errors.SignatureError: 403,  # the sender keeps the batch, and sends it again with a right signature
    signature_errors.SignatureUnexpected: 422,
    catalog_errors.CatalogError: 422,
    catalog_errors.DatasetUnknown: 404,
    catalog_errors.DatasetNotYours: 404,
    catalog_errors.OrganizationUnknown: 404,
    catalog_errors.MandateUnknown: 404,
    catalog_errors.RoleNeeded: 403,
    catalog_errors.OrganizationExists: 409,
    catalog_errors.DatasetExists: 409,
    aggregate_errors.AggregateUnknown: 404,
    aggregate_errors.AggregateStepWrong: 409,
    aggregate_errors.AggregateChanged: 409,
    aggregate_errors.AggregateNotOpen: 409,
    aggregate_errors.DisclosureRefused: 409,
    clock_errors.CalendarYearUnknown: 409,
    entry_errors.EntryUnknown: 404,
    entry_errors.EntryStepWrong: 409,
    entry_errors.EntryChanged: 409,
    entry_errors.FieldsUnlabelled: 409,
    entry_errors.SecrecyReviewMissing: 409,
    entry_errors.LevelNotRaised: 409,
    request_errors.RequestUnknown: 404,
    request_errors.RequestStepNotNow: 409,
    request_errors.NoticeGiven: 409,
    request_errors.NoticeFirst: 409,
    request_errors.RequestIncomplete: 409,
    request_errors.NotShareable: 403,
    request_errors.DeliveryWithoutGrant: 409,
    request_errors.OnePersonTwice: 403,
    grant_errors.GrantUnknown: 404,
    grant_errors.ProposalUnknown: 404,
    grant_errors.ProposalDecided: 409,
    grant_errors.ProposalChanged: 409,
    grant_errors.GrantStepNotNow: 409,
    tier_errors.TierVersionUnknown: 404,
    tier_errors.TierVersionDecided: 409,
    tier_errors.TierVersionChanged: 409,
    key_errors.OrganizationKeyUnknown: 404,
    key_errors.OrganizationKeyExists: 409,
    key_errors.OrganizationKeysTaken: 409,
    identity_errors.NotAuthenticated: 401,
    identity_errors.IdentityError: 422,
    identity_errors.OrganizationNeeded: 403,
    identity_errors.OtherPersonNeeded: 403,
    identity_errors.PersonUnknown: 404,
    identity_errors.ApplicationUnknown: 404,
    identity_errors.KeyUnknown: 404,
    identity_errors.KeysTaken: 409,
    identity_errors.LoginTaken: 409,
    identity_errors.AdministratorThere: 409,
    identity_errors.IssuerUnreachable: 503,
    identity_errors.KeycloakFailed: 503,
    identity_errors.DeviceSignInAbsent: 503,
    identity_errors.DeviceSignInFailed: 503,
    identity_errors.AuthorizationRefused: 400,
    identity_errors.TokenRefused: 400,
    identity_errors.PasswordWrong: 403,
    identity_errors.SignInRefused: 401,
    identity_errors.SignInsTooMany: 429,
    identity_errors.TokensTaken: 409,
    identity_errors.TokenUnknown: 404,
    hub_errors.SettingWrong: 500,
    crypto_errors.CryptoError: 503,
    crypto_errors.KeyUnreadable: 422,
    crypto_errors.SealBroken: 422,
    keys_errors.KeysError: 503,
    store_errors.StoreError: 503,
    hub_errors.RegistryError: 409,
    hub_errors.ContractVersionUnknown: 404,
    hub_errors.DoorError: 422,
    subject_errors.SubjectError: 422,
    subject_errors.SubjectUnknown: 404,
    subject_errors.SubjectVersionUnknown: 404,
    subject_errors.SubjectSchemaUnknown: 404,
    subject_errors.SubjectSchemaUnfit: 409,
    hub_errors.RecordUnknown: 404,
    hub_errors.QuarantineEntryUnknown: 404,
    hub_errors.DecoderUnusable: 503,
    hub_errors.LogError: 503,
    release_errors.ReleaseError: 422,
    release_errors.ReleaseRefused: 403,
    release_errors.RecordAbsent: 404,
    release_errors.DecisionUnknown: 404,
    release_errors.FormatNotOffered: 406,
    release_errors.QuotaUsedUp: 429,
    export_errors.ExportsTooMany: 503,
    export_errors.ExportTermsChanged: 409,
    export_errors.ExportUnknown: 404,
    subscription_errors.SubscriptionUnknown: 404,
    subscription_errors.SubscriptionStepNotNow: 409,
    subscription_errors.SubscriptionsTooMany: 409,
    subscription_errors.DeliveryUnknown: 409,
    push_errors.PushError: 502,
    push_errors.AddressRefused: 422,
    push_errors.AddressUnresolved: 422,
    ledger_errors.LedgerError: 503,
    ledger_errors.LeafWrong: 422,
    ledger_errors.LeafUnknown: 404,
    ledger_errors.CheckpointUnknown: 404,
    ledger_errors.CheckpointWrong: 422,
    ledger_errors.ProofWrong: 422,
    api_errors.RequestError: 422,
    api_errors.BodyTooLarge: 413,
    api_errors.BodyTooSlow: 408,
    api_errors.MediaTypeWrong: 415,
    api_errors.ContentEncodingRefused: 415,
    api_errors.ReceiptAbsent: 404,
    api_errors.OidcAbsent: 404,
    api_errors.AddressUnknown: 404,
    api_errors.MethodNotAllowed: 405,
    api_errors.HeadersTooLarge: 431,
    api_errors.InternalError: 500,
    api_errors.HubUnavailable: 503,
}

# What these say of files and servers is for the operator's log, not for who asks.
CONCEALED = (
    crypto_errors.LibraryMissing,
    crypto_errors.Sm2Absent,
    crypto_errors.LibraryFailed,
    crypto_errors.SelfTestFailed,
    keys_errors.KeysError,
    ledger_errors.LedgerDamaged,
    ledger_errors.WitnessRefused,
    ledger_errors.WitnessStateUnusable,
    store_errors.StoreError,
    hub_errors.SettingWrong,
    hub_errors.DecoderUnusable,
    hub_errors.LogUnavailable,
    hub_errors.PositionLost,
    hub_errors.PositionOutOfRange,
    hub_errors.TopicUnknown,
)
RETRY_AFTER_SECONDS = 2  # of a 503 that names no time of its own

_TITLES_ZH: Mapping[int, str] = {
    400: "请求有误",
    401: "需要身份凭证",
    403: "无权操作",
    404: "不存在",
    405: "不支持该方法",
    406: "没有所要的格式",
    408: "请求超时",
    409: "与已有内容冲突",
    413: "正文过大",
    415: "不支持的格式",
    422: "内容无法接受",
    429: "请求过多",
    431: "请求头过大",
    500: "内部错误",
    503: "暂不可用",
}


class Problem(BaseModel):
    """An error as RFC 9457 has it, with a stable code and the typed parameters of its sentence."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(
        description="Relative address of the problem's explanation.", examples=["/v1/problems/body_too_large"]
    )
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(
        description="What was wrong, where, and what to do, in the language of Accept-Language (zh, en)."
    )
    code: str = Field(description="Stable name of the problem, for programs.")
    parameters: dict[str, Any] = Field(description="What the sentence was made from.")


def status_of(error: type[HubError]) -> int:
    """The status of an error class; 0 where the table knows neither it nor a family of its."""
    return next((STATUS[family] for family in error.__mro__ if family in STATUS), 0)


def problem_of(error: HubError, language: Language) -> Problem:
    """An expected error in the caller's language."""
    if isinstance(error, CONCEALED):
        error = api_errors.HubUnavailable()
    return problem(
        error.code, status_of(type(error)) or 500, error.sentence(language), language, parameters=error.parameters()
    )


def problem(
    code: str, status: int, detail: str, language: Language, parameters: Mapping[str, Any] | None = None
) -> Problem:
    """A problem from its parts."""
    english = HTTPStatus(status).phrase
    return Problem(
        type=TYPE_PATH + code,
        title=_TITLES_ZH.get(status, english) if language == "zh" else english,
        status=status,
        detail=detail,
        code=code,
        parameters=dict(parameters or {}),
    )


def respond(found: Problem, language: Language, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The HTTP answer of a problem."""
    return JSONResponse(
        found.model_dump(mode="json"),
        status_code=found.status,
        media_type=MEDIA_TYPE,
        headers={"content-language": language, "vary": "accept-language", **(headers or {})},
    )


def headers_of(error: HubError) -> dict[str, str]:
    """What a status obliges the answer to say beside its body."""
    headers: dict[str, str] = {}
    seconds = getattr(error, "retry_after_seconds", None)
    if seconds is None and status_of(type(error)) == HTTPStatus.SERVICE_UNAVAILABLE:
        seconds = RETRY_AFTER_SECONDS
    if isinstance(seconds, int | float):
        headers["retry-after"] = str(max(1, math.ceil(seconds)))
    if isinstance(error, identity_errors.NotAuthenticated):
        headers["www-authenticate"] = 'Bearer realm="hub"'
    # The id of an unknown decision is the caller's own text, which may stand in no header.
    of_release = isinstance(error, release_errors.ReleaseError) and not isinstance(
        error, release_errors.DecisionUnknown
    )
    if of_release and getattr(error, "decision", ""):
        headers["hub-decision"] = str(getattr(error, "decision", ""))
    if isinstance(error, api_errors.ContentEncodingRefused):
        headers["accept-encoding"] = "identity"
    if isinstance(error, api_errors.MediaTypeWrong):
        headers["accept"] = error.accepted
    return headers


def language_of(request: Request) -> Language:
    """The caller's language: the first of zh and en that Accept-Language prefers, else Chinese."""
    return preferred_language(request.headers.get("accept-language", ""))


def preferred_language(header: str) -> Language:
    """Read Accept-Language (RFC 9110 §12.5.4); what cannot be read counts as absent."""
    best: tuple[float, Language] = (0.0, "zh")
    for item in header[:500].split(","):
        tag, _, quality = item.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        if language in {"zh", "en"}:
            weight = _weight(quality)
            if weight > best[0]:
                best = (weight, "zh" if language == "zh" else "en")
    return best[1]


def _weight(quality: str) -> float:
    name, _, value = quality.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0 <= weight <= 1 else 0.0
