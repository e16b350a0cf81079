"""The HTTP application, made from its parts."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from hub.api import (
    applications,
    catalog,
    catalog_acts,
    changes,
    contracts,
    datasets,
    exchange,
    exports,
    grants,
    health,
    ledger,
    oidc,
    people,
    receipts,
    registry,
    requests,
    simulation,
    statistics,
    subscriptions,
    tiers,
)
from hub.api.body import Bodies
from hub.api.body_limit import BodyLimit
from hub.api.boundary import Boundary
from hub.api.dependencies import Parts
from hub.api.errors import AddressUnknown, BodyUnreadable, HubUnavailable, MethodNotAllowed
from hub.api.invalid import invalid_of
from hub.api.openapi import describe
from hub.api.parameters import own_parameters
from hub.api.problems import headers_of, language_of, problem_of, respond
from hub.observations import StoreLost, observe
from schemas.errors import HubError

THREADS = 12  # as many as the pool has connections: no thread waits for one


def create_app(parts: Parts) -> FastAPI:
    """The application over its parts; nothing is connected yet."""
    app = FastAPI(
        title="枢纽 hub",
        version=version("shuniu"),
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.parts = parts
    app.state.bodies = Bodies()
    app.add_middleware(BodyLimit, reads_itself=exchange.reads_itself)
    app.add_middleware(Boundary)  # the outermost
    # receipts first: its path is also a dataset's shape
    for resource in (
        receipts,
        exchange,
        contracts,
        requests,
        grants,
        tiers,
        simulation,
        people,
        applications,
        catalog,
        catalog_acts,
        ledger,
        exports,
        changes,
        subscriptions,
        health,
    ):
        app.include_router(resource.router, dependencies=[Depends(own_parameters)])
    # These read their parameters themselves; clients of an issuer (RFC 6749 §3.1) and of a schema registry may send
    # what it does not know.
    for router in (oidc.router, registry.router, datasets.router, datasets.decisions, statistics.router):
        app.include_router(router)
    app.add_exception_handler(HubError, _expected)
    app.add_exception_handler(OperationalError, _store_lost)
    app.add_exception_handler(PoolTimeout, _store_lost)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    describe(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    parts: Parts = app.state.parts
    current_default_thread_limiter().total_tokens = THREADS
    parts.waiting.bind(asyncio.get_running_loop())
    parts.listener.start()
    try:
        async with parts.release_parts.running(parts.identity.look):
            yield
    finally:
        parts.listener.stop()


def _answer(request: Request, error: HubError) -> Response:
    language = language_of(request)
    if registry.is_registry(request):
        return registry.problem_response(error, language)
    return respond(problem_of(error, language), language, headers_of(error))


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)  # noqa: S101 - registered for this class
    return _answer(request, error)


def _store_lost(request: Request, error: Exception) -> Response:
    observe(StoreLost(type(error).__name__, HubUnavailable.retry_after_seconds))
    return _answer(request, HubUnavailable())


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return _answer(request, invalid_of(error.errors()))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    answer = _answer(request, _HTTP[error.status_code]())
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["allow"] = _methods_at(request)
    return answer


# What the framework raises by itself; another status would be an error of ours.
_HTTP: Mapping[int, type[HubError]] = {400: BodyUnreadable, 404: AddressUnknown, 405: MethodNotAllowed}


def _methods_at(request: Request) -> str:
    """Every method that an address takes (RFC 9110 §10.2.1): of all its routes, where Starlette asks but one."""
    routes = iter_route_contexts(request.app.routes)
    found = [route.methods or set() for route in routes if route.path_regex.match(request.scope["path"])]
    return ", ".join(sorted(set[str]().union(*found)))
