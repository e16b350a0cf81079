"""A connector's YAML file: what is wrong is said by its place, with what to write there."""

from pathlib import Path

import pytest

from connectors.config import read_connector
from connectors.errors import ConfigUnreadable, ConfigWrong, KindUnknown, TokenMissing
from connectors.sources.catalog import open_source

GOOD = """\
dataset: 420000.resident
hub: http://127.0.0.1:8420
token: {file: token}
source: {kind: files, inbox: ./inbox, formats: [csv, xlsx], settle_seconds: 2}
mapping:
  fields:
    id_number: 公民身份号码
    sex: {column: 性别, codes: {男: "1", 女: "2"}}
    birth_date: {column: 出生日期, date_format: "%Y%m%d"}
    capital: {column: c, multiply: "0.0001"}
    iso: {constant: CN}
  nulls: ["None", "NULL"]
  ignore: [备注]
batch: {records: 25000}
rejects: send
schedule: {every_seconds: 900}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "police.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_whole_form_is_read(tmp_path: Path):
    connector = read_connector(written(tmp_path, GOOD))
    assert connector.config.mapping.fields["sex"].codes == {"男": "1", "女": "2"}
    assert connector.config.schedule.every_seconds == 900
    assert connector.state_folder == tmp_path / ".police.yaml.state"


def test_relative_paths_start_at_the_files_folder(tmp_path: Path):
    assert read_connector(written(tmp_path, GOOD + "state: ./here\n")).state_folder == tmp_path / "here"


@pytest.mark.parametrize(
    ("right", "wrong", "place", "said"),
    [
        ("records: 25000", "recrods: 1", "batch.recrods", "is it records"),
        ("records: 25000", "records: many", "batch.records", "whole number"),
        ("records: 25000", "records: 0", "batch.records", "at least 1"),
        ("records: 25000", "records: 50001", "batch.records", "at most 50000"),
        ("hub: http", "hbu: http", "hbu", "is it hub"),
        ("hub: http://127.0.0.1:8420\n", "", "hub", "missing"),
        ("hub: http://127.0.0.1:8420", "hub: 127.0.0.1", "hub", "address"),
        ("hub: http://127", "hub: http://me:secret@127", "hub", "password"),
        ("{file: token}", "hub_secret", "token", "must not stand in the configuration"),
        ("{file: token}", "{}", "token", "exactly one of file and env"),
        ("{file: token}", "{file: a, env: B}", "token", "exactly one of file and env"),
        ('男: "1"', "男: 1", "mapping.fields.sex.codes.男", "quotes"),
        ('multiply: "0.0001"', "multiply: 0.0001", "mapping.fields.capital.multiply", "quotes"),
        ('multiply: "0.0001"', 'multiply: "x"', "mapping.fields.capital.multiply", "decimal number"),
        ("constant: CN", "constant: CN, column: x", "mapping.fields.iso", "exactly one of column and constant"),
        ("column: 性别", "colum: 性别", "mapping.fields.sex.colum", "is it column"),
        ("ignore: [备注]", "ignore: 备注", "mapping.ignore", "list"),
        ("rejects: send", "rejects: drop", "rejects", "'send' or 'hold'"),
        ("dataset: 420000.resident", "dataset: resident", "dataset", "<region code>.<name>"),
        ("kind: files, ", "", "source.kind", "files, spatial or database"),
    ],
)
def test_what_is_wrong_is_said_by_its_place(tmp_path: Path, right: str, wrong: str, place: str, said: str):
    assert right in GOOD
    with pytest.raises(ConfigWrong) as error:
        read_connector(written(tmp_path, GOOD.replace(right, wrong)))
    assert error.value.place == place
    assert said in error.value.sentence("en")
    assert place in error.value.sentence("zh")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ("inbox: ./inbox, ", "", "source.inbox"),
        ("settle_seconds: 2", "settle_second: 2", "source.settle_second"),
        ("[csv, xlsx]", "[csv, doc]", "source.formats.1"),
        ("[csv, xlsx]", "[]", "source.formats"),
    ],
)
def test_what_is_wrong_about_the_source_is_said_by_its_place(tmp_path: Path, right: str, wrong: str, place: str):
    connector = read_connector(written(tmp_path, GOOD.replace(right, wrong)))
    with pytest.raises(ConfigWrong) as error:
        open_source(connector.config.source, tmp_path, "police.yaml")
    assert error.value.place == place


def test_a_kind_that_is_none_is_told_with_those_there_are(tmp_path: Path):
    connector = read_connector(written(tmp_path, GOOD.replace("kind: files", "kind: ftp")))
    with pytest.raises(KindUnknown, match="files, spatial, database"):
        open_source(connector.config.source, tmp_path, "police.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "rejects: hold\n", "stands twice"),
        ("a: [", "no YAML"),
        ("- a", "keys and values"),
        ("", "keys and values"),
    ],
)
def test_what_is_no_yaml_is_told_by_its_line(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigUnreadable, match=said):
        read_connector(written(tmp_path, text))


def test_a_file_that_is_not_there_or_not_utf8_is_told(tmp_path: Path):
    with pytest.raises(ConfigUnreadable, match="No such file"):
        read_connector(tmp_path / "absent.yaml")
    (tmp_path / "a.yaml").write_bytes("dataset: 公安".encode("gb18030"))
    with pytest.raises(ConfigUnreadable, match="UTF-8"):
        read_connector(tmp_path / "a.yaml")


def test_the_token_comes_from_a_file_or_a_variable(tmp_path: Path):
    (tmp_path / "token").write_text("hub_abc\n")
    assert read_connector(written(tmp_path, GOOD)).token({}) == "hub_abc"
    by_variable = read_connector(written(tmp_path, GOOD.replace("{file: token}", "{env: HUB_TOKEN}")))
    assert by_variable.token({"HUB_TOKEN": "hub_def"}) == "hub_def"


@pytest.mark.parametrize("content", [None, "", " \n", "two words", "令牌"])
def test_a_token_that_is_none_is_told_by_its_place(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "token").write_text(content, encoding="utf-8")
    with pytest.raises(TokenMissing, match="token"):
        read_connector(written(tmp_path, GOOD)).token({})
    with pytest.raises(TokenMissing, match=r"\$HUB_TOKEN"):
        read_connector(written(tmp_path, GOOD.replace("{file: token}", "{env: HUB_TOKEN}"))).token({})


@pytest.mark.parametrize("kind", ["files", "spatial", "database"])
def test_every_kind_is_opened_by_its_name(tmp_path: Path, kind: str):
    options = {"kind": kind, "inbox": "inbox"}
    if kind == "database":
        options = {"kind": kind, "url": "sqlite:///a.sqlite", "table": "t", "key": ["k"]}
    source = open_source(options, tmp_path, "police.yaml")
    assert type(source).__module__ == f"connectors.sources.{kind}"
    source.close()


def test_a_relative_sqlite_file_is_beside_the_configuration(tmp_path: Path):
    from connectors.sources import catalog

    assert catalog._at_base("sqlite:///data/a.sqlite", tmp_path) == f"sqlite:///{tmp_path}/data/a.sqlite"
    assert catalog._at_base("sqlite:////abs/a.sqlite", tmp_path) == "sqlite:////abs/a.sqlite"
    assert catalog._at_base("postgresql+psycopg://h/d", tmp_path) == "postgresql+psycopg://h/d"
