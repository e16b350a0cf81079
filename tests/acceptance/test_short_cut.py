"""The short cut and the route of the same address: one answers sooner, both answer the same."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from records_door import records_door
from release_maker import PLACE, PURPOSE, RESIDENT
from running_door import RunningDoor

from hub.api.short_cut import ShortCut
from hub.release.select import Compiled
from hub.store.cluster import Cluster

# What differs between two answers of one way, too: when, under which leaf, the seal, and what is left of a quota.
VARIES = re.compile(rb'\d{4}-\d\d-\d\dT[0-9:.]+Z|cursor=[\w-]+|[0-9a-f]{8}-[0-9a-f-]{27}|r=\d+;t=\d+|"next":"[^"]*"')
PLACES, RESIDENTS = f"/v1/datasets/{PLACE}/records", f"/v1/datasets/{RESIDENT}/records"
ADDRESSES = [
    *(f"{RESIDENTS}?limit=7", f"{RESIDENTS}?limit=7&count=exact", f"{RESIDENTS}?count=none", f"{RESIDENTS}?sort=-sex"),
    *(f"{RESIDENTS}?fields=sex", f"{RESIDENTS}?sex=1&limit=3", f"{RESIDENTS}?limit=100", f"{RESIDENTS}?format=csv"),
    *(f"{PLACES}?bbox=110,30,110.055,31", f"{PLACES}?format=geojson&limit=2", f"{PLACES}?format=ndjson", f"{PLACES}/1"),
    *(f"{PLACES}?format=csv&for=spreadsheet", f"{RESIDENTS}/nothing", f"{PLACES}/nothing", f"{PLACES}/1?format=csv"),
    *(f"{RESIDENTS}?as_of=MOMENT", f"{RESIDENTS}?as_of=MOMENT&sex=1&count=exact", f"{PLACES}/1?as_of=MOMENT"),
    *(f"{PLACES}?as_of=MOMENT&bbox=110,30,110.055,31", f"{RESIDENTS}?as_of=2020-01-01T00:00:00Z&limit=3"),
    *(f"{RESIDENTS}?cursor=x", f"{RESIDENTS}?nobody=1", f"{RESIDENTS}?limit=0"),
    *(f"{RESIDENTS}?format=geojson", f"{RESIDENTS}?limit=1&limit=2", f"{PLACES}?sex=1", f"{RESIDENTS}?phone=1"),
]


@pytest.fixture(scope="module")
def door(cluster: Cluster, migrated_template: str) -> Iterator[RunningDoor]:
    with records_door(cluster, migrated_template, "short_cut_door") as started:
        yield started


@pytest.fixture(params=["ren-she", None])
def client(door: RunningDoor, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with door.client(request.param, **{"hub-purpose": quote(PURPOSE)}) as asking:
        yield asking


def compared(answer: httpx.Response) -> tuple[int, Sequence[tuple[str, str]], bytes]:
    left_out = {"date", "content-length"}
    headers = [(name, varies(value.encode()).decode()) for name, value in answer.headers.items()]
    return answer.status_code, sorted(one for one in headers if one[0] not in left_out), varies(answer.content)


def varies(content: bytes) -> bytes:
    return VARIES.sub(b"~", content)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_route_answers_as_the_short_cut(client: httpx.Client, address: str, monkeypatch: pytest.MonkeyPatch):
    took: list[bool] = []
    short_cut = ShortCut._answered

    async def watched(*given: object, **named: object) -> object:
        answered = await short_cut(*given, **named)  # pyright: ignore[reportArgumentType] - as they came
        took.append(answered is not None)
        return answered

    async def never(*_: object, **__: object) -> None:
        return None

    address = address.replace("MOMENT", quote(datetime.now(UTC).isoformat()))
    client.get(address)  # what is new is met
    monkeypatch.setattr(ShortCut, "_answered", watched)
    by_short_cut = client.get(address)
    monkeypatch.setattr(ShortCut, "_answered", never)
    by_route = client.get(address)
    assert compared(by_short_cut) == compared(by_route)
    if by_route.status_code == 200:
        assert took == [True]
        etag = by_route.headers["etag"]
        assert client.get(address, headers={"if-none-match": etag}).status_code == 304
        monkeypatch.setattr(ShortCut, "_answered", watched)
        unchanged = client.get(address, headers={"if-none-match": etag})
        assert (unchanged.status_code, unchanged.content, took) == (304, b"", [True, True])


def test_the_estimate_of_a_whole_dataset_is_asked_for_once_in_a_while(
    door: RunningDoor, monkeypatch: pytest.MonkeyPatch
):
    asked: list[object] = []
    count = Compiled.count
    monkeypatch.setattr(Compiled, "count", lambda *given, **named: asked.append(given) or count(*given, **named))
    with door.client("ren-she", **{"hub-purpose": quote(PURPOSE)}) as asking:
        told = [asking.get(f"{RESIDENTS}?limit=1").json()["count"] for _ in range(8)]
        assert len({one["value"] for one in told}) == 1
        assert len(asked) <= 4  # the route's own, where something was new, and one on the short cut
        seen = len(asked)
        for _ in range(4):
            asking.get(f"{RESIDENTS}?limit=1&sex=1")
    assert len(asked) == seen + 4  # of a part it is asked for each time


def test_a_moment_that_is_not_settled_yet_is_answered_as_of_the_horizon(door: RunningDoor):
    with door.client(None) as asking:
        before = datetime.now(UTC)
        coming = quote((before + timedelta(hours=1)).isoformat())
        told = [asking.get(f"{PLACES}?as_of={coming}&limit=1").headers["hub-instant"] for _ in range(3)]
        instants = [datetime.fromisoformat(one) for one in told]
        assert instants == sorted(instants)
        assert before <= instants[0]
        assert instants[-1] <= datetime.now(UTC)
        assert len(set(instants)) == 3  # looked up anew each time: never taken for settled
