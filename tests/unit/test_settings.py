"""Settings are read once, on demand, and say what is wrong with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import SettingWrong
from hub.settings import Settings, read_settings, unknown_variables


@pytest.fixture(autouse=True)
def no_settings_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HUB_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_setting_says_what_it_is_for():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_defaults_are_those_the_readme_promises():
    settings = read_settings()
    assert settings.database_url is None
    assert settings.data_folder == Path.cwd() / ".hub"
    assert (settings.hub_id, settings.port, settings.batch_bytes_max) == ("420000", 8420, 4 * 1024 * 1024)


def test_nothing_is_read_at_import():
    code = "import os; os.environ['HUB_PORT'] = 'nonsense'; import hub.settings; print('imported')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "imported\n"


def test_the_command_line_goes_before_the_environment_and_the_environment_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / ".hub").mkdir()
    (tmp_path / ".hub/hub.env").write_text("HUB_PORT=1\nHUB_WORKERS=1\nHUB_WAITING_MAX=1\n")
    monkeypatch.setenv("HUB_PORT", "2")
    monkeypatch.setenv("HUB_WORKERS", "2")
    settings = read_settings(port=3)
    assert (settings.port, settings.workers, settings.waiting_max) == (3, 2, 1)


def test_the_file_is_looked_for_in_the_data_folder_that_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/hub.env").write_text("HUB_WORKERS=7\n")
    monkeypatch.setenv("HUB_DATA_FOLDER", str(tmp_path / "elsewhere"))
    assert read_settings().workers == 7


def test_sizes_take_units(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUB_BATCH_BYTES_MAX", "2MiB")
    assert read_settings().batch_bytes_max == 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HUB_PORT", "70000"), ("HUB_HUB_ID", "42"), ("HUB_DATABASE_URL", "mysql://x"), ("HUB_LOG", "pigeon")],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingWrong) as refused:
        read_settings()
    assert refused.value.setting == variable
    assert variable in refused.value.sentence("zh")


def test_a_password_appears_in_no_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUB_DATABASE_URL", "postgresql://hub:s3cret@db/hub")
    assert "s3cret" not in repr(read_settings()) + str(read_settings())
    monkeypatch.setenv("HUB_DATABASE_URL", "mysql://hub:s3cret@db/hub")
    with pytest.raises(SettingWrong) as refused:
        read_settings()
    assert "s3cret" not in str(refused.value) + repr(refused.value)


def test_a_misspelt_line_in_the_file_is_refused(tmp_path: Path):
    (tmp_path / ".hub").mkdir()
    (tmp_path / ".hub/hub.env").write_text("HUB_WORKER=3\n")
    with pytest.raises(SettingWrong, match="HUB_WORKER"):
        read_settings()


def test_a_misspelt_variable_is_named():
    environment = {"HUB_WORKER": "3", "HUB_WORKERS": "3", "PATH": "/bin"}
    assert unknown_variables(environment) == ["HUB_WORKER"]


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        read_settings().port = 1  # pyright: ignore[reportAttributeAccessIssue]  # that it is refused is the point
