"""What nobody foresaw becomes a problem with an id, and no one's data goes into answer or log."""

import asyncio
import json
import logging

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from hub.api.boundary import Boundary

SECRET = "Key (id_number)=(420106199001011234) already exists"


def an_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(Boundary)

    @app.get("/records/{key}")
    def fail(key: str) -> None:
        raise RuntimeError(SECRET + key)

    @app.get("/stream")
    def begin() -> StreamingResponse:
        def rows():
            yield b"first"
            raise RuntimeError(SECRET)

        return StreamingResponse(rows())

    return app


def get(path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=an_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.get(path, headers={"accept-language": "en"})

    return asyncio.run(ask())


def test_an_unforeseen_error_is_a_problem_with_an_id_found_in_the_log(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="hub"):
        answer = get("/records/420106199001011234")
    found = answer.json()
    assert (answer.status_code, found["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    logged = json.loads(caplog.records[-1].getMessage())
    assert logged["id"] == found["parameters"]["id"]
    assert logged["route"] == "/records/{key}"
    assert logged["error"].startswith("RuntimeError: ")
    assert "420106199001011234" not in answer.text + caplog.text


def test_an_answer_that_has_begun_is_cut_not_completed(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="hub"), pytest.raises(ConnectionAbortedError) as cut:
        get("/stream")
    assert SECRET not in str(cut.value)
    assert cut.value.__suppress_context__
    assert "420106199001011234" not in caplog.text
