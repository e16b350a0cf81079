"""Statistics as their users meet them: published by commands, read by everyone, with no condition of one's own."""

import csv
import hashlib
import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from authorization_stage import Stage, authorization_stage
from command_line import run_hub
from resident_maker import SEEDS, put, resident
from running_door import plain_context

from hub.store.connect import connect

HREF = "/v1/statistics/420000.resident/age_and_sex"
Hub = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    with authorization_stage(database_url) as made:
        with connect(database_url, "test") as conn:
            put(conn, [resident(number) for number in range(4_000)])
        yield made


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Hub:
    environment = {**os.environ, "HUB_DATABASE_URL": database_url, "HUB_DATA_FOLDER": str(tmp_path)}

    def run(*arguments: str, by: str, language: str = "en") -> "subprocess.CompletedProcess[str]":
        return run_hub("statistics", *arguments, "--as", by, environment={**environment, "HUB_LANGUAGE": language})

    return run


def computed(hub: Hub) -> dict[str, Any]:
    defined = hub("define", str(SEEDS / "age_and_sex.yaml"), by="prov")
    assert defined.returncode == 0, defined.stderr
    done = hub("compute", "420000.resident", "age_and_sex", "--json", by="prov")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def published(hub: Hub) -> dict[str, Any]:
    made = computed(hub)
    for act, who in (("review", "rev"), ("publish", "prov")):
        done = hub(act, made["id"], "--certificate", made["certificate"], by=who)
        assert done.returncode == 0, done.stderr
    return made


def get(stage: Stage, path: str = HREF, **headers: str) -> httpx.Response:
    return httpx.get(f"{stage.door.url}{path}", headers={"accept-language": "en", **headers}, verify=plain_context())


def test_statistics_are_published_by_two_people_read_by_everyone_and_recalled(stage: Stage, hub: Hub):
    made = computed(hub)
    assert get(stage).status_code == 404
    assert get(stage, "/v1/statistics").json() == {"statistics": []}
    own = hub("review", made["id"], "--certificate", made["certificate"], by="prov")
    assert (own.returncode, "reviewer" in own.stderr) == (1, True)
    report = hub("show", made["id"], by="rev")
    assert made["certificate"] in report.stdout
    assert '"smallest_published_rounded"' in report.stdout
    for act, who in (("review", "rev"), ("publish", "prov")):
        assert hub(act, made["id"], "--certificate", made["certificate"], by=who).returncode == 0
    listed = get(stage, "/v1/statistics").json()["statistics"]
    assert [(one["href"], one["k"], one["certificate"]) for one in listed] == [(HREF, 10, made["certificate"])]
    recalled = hub("recall", made["id"], "--reason", "口径有误", by="prov", language="zh")
    assert "已撤回" in recalled.stdout
    assert get(stage).status_code == 404
    assert get(stage, HREF + "/report").status_code == 404
    assert get(stage, "/v1/statistics").json() == {"statistics": []}


def test_json_and_csv_are_the_reviewed_bytes_and_the_report_says_so(stage: Stage, hub: Hub):
    made = published(hub)
    as_json, as_csv, report = get(stage), get(stage, HREF + "?format=csv"), get(stage, HREF + "/report")
    assert [one.status_code for one in (as_json, as_csv, report)] == [200, 200, 200]
    assert get(stage, accept="text/csv").content == as_csv.content
    digests = [hashlib.new("sm3", one.content).hexdigest() for one in (as_json, as_csv, report)]
    assert [one.headers["etag"] for one in (as_json, as_csv, report)] == [f'"{one}"' for one in digests]
    assert report.json()["sm3"] == {"json": digests[0], "csv": digests[1]}
    assert digests[2] == made["certificate"] == as_json.headers["hub-certificate"]
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    whole = next(row for row in rows if (row["region"], row["detail"]) == ("", "all"))
    assert whole["persons"] == "4000"
    cells = [cell["persons"] for one in as_json.json()["slices"] for cell in one["cells"]]
    assert sorted(cells) == sorted(int(row["persons"]) for row in rows)
    assert min(cells) >= 10
    assert "某某" not in as_json.text + as_csv.text + report.text


def test_the_same_question_has_the_same_answer_however_often_and_by_whomever(stage: Stage, hub: Hub):
    published(hub)
    etag = get(stage).headers["etag"]
    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(lambda _: get(stage).content, range(50)))
    assert len(answers) == 1
    assert stage("aud", "GET", HREF).content in answers
    assert get(stage, **{"if-none-match": etag}).status_code == 304
    assert get(stage, authorization="Bearer nonsense").status_code == 401


OF_ONES_OWN = (
    *("where=sex=1", "filter=division_code.eq.420102", "sex=1", "region=420102"),
    "format=csv&born=1950-01-01",
)


def test_a_condition_of_ones_own_is_refused(stage: Stage, hub: Hub):
    for is_published in (False, True):
        if is_published:
            published(hub)
        for query in OF_ONES_OWN:
            for path in (HREF, HREF + "/report", "/v1/statistics"):
                answer = get(stage, f"{path}?{query}")
                assert (answer.status_code, answer.json()["code"]) == (422, "predicate_refused"), (query, path)


def test_one_person_more_makes_no_second_release(stage: Stage, hub: Hub, database_url: str):
    published(hub)
    before = get(stage).content
    with connect(database_url, "test") as conn:
        put(conn, [resident(90_000)])
    refused = hub("compute", "420000.resident", "age_and_sex", by="prov")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "rule unchanged" in refused.stderr
    assert get(stage).content == before


def test_a_definition_with_a_condition_is_refused_by_the_command(stage: Stage, hub: Hub, tmp_path: Path):
    file = tmp_path / "with_condition.yaml"
    file.write_text((SEEDS / "age_and_sex.yaml").read_text(encoding="utf-8") + "where: sex = '1'\n", encoding="utf-8")
    refused = hub("define", str(file), by="prov")
    assert refused.returncode == 1
    assert "conditions are not taken" in refused.stderr
    file.write_text("{", encoding="utf-8")
    assert "YAML" in hub("define", str(file), by="prov").stderr
    assert stage.door.url
