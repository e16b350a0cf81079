"""Health, and what a problem means: the answers that need no token."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from hub.api.dependencies import LanguageOf, PartsOf
from hub.api.errors import HubUnavailable
from hub.api.openapi import problems
from hub.api.problems import headers_of, problem, problem_of, respond, status_of
from schemas.errors import HubError

router = APIRouter(prefix="/v1", tags=["health"])

CodePath = Annotated[str, Path(description="Code of the problem.", max_length=100)]


class Health(BaseModel):
    """All is well."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["ok"] = "ok"


class Explanation(BaseModel):
    """What a problem's ``code`` stands for; braces hold what differs from case to case."""

    model_config = ConfigDict(extra="forbid")

    code: str
    status: int
    zh: str
    en: str


def _problem_responses(*statuses: int) -> dict[int | str, dict[str, object]]:
    return {status: one for status, one in problems(*statuses).items() if status in statuses}


@router.get("/health/live", summary="The process answers", responses=_problem_responses(422))
def live() -> Health:
    """Asks nothing of the store."""
    return Health()


@router.get(
    "/health/ready", summary="Batches can be taken", response_model=Health, responses=_problem_responses(422, 500, 503)
)
def ready(parts: PartsOf, language: LanguageOf) -> Health | JSONResponse:
    """The store answers, the log answers, and receipts are heard of."""
    parts.door.look_at_log()
    with parts.pool.connection(timeout=2) as conn:
        conn.execute("SELECT 1")
    if not parts.listener.listening:
        unavailable = HubUnavailable()
        return respond(problem_of(unavailable, language), language, headers_of(unavailable))
    return Health()


@router.get(
    "/problems/{code}",
    summary="What a problem means",
    response_model=Explanation,
    responses=_problem_responses(404, 422),
)
def explain_problem(code: CodePath, language: LanguageOf) -> Explanation | JSONResponse:
    """Every problem's ``type`` leads here."""
    families: list[type[HubError]] = [HubError]
    while families:
        for error in families.pop().__subclasses__():
            families.append(error)
            if vars(error).get("code") == code:
                return Explanation(code=code, status=status_of(error), zh=error.zh, en=error.en)
    text = "没有这个问题代码。" if language == "zh" else "there is no problem of this code."
    return respond(problem("not_found", 404, text, language), language)
