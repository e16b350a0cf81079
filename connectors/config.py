"""One connector, as its YAML file says. Every place is checked before anything is read or sent."""

import difflib
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from connectors.errors import ConfigUnreadable, ConfigWrong, TokenMissing
from schemas.batch import Limits

CONFIG_BYTES_MAX: Final = 1024 * 1024
MULTIPLY_DIGITS_MAX: Final = 18
_LIMITS: Final = Limits()


def _wrong(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("said", "{en}", {"zh": zh, "en": en})


def _factor(text: str) -> str:
    try:
        factor = Decimal(text)
    except InvalidOperation:
        factor = Decimal("NaN")
    if (
        not factor.is_finite()
        or len(factor.as_tuple().digits) > MULTIPLY_DIGITS_MAX
        or abs(factor.adjusted()) > MULTIPLY_DIGITS_MAX
    ):
        raise _wrong('应为加引号的十进制数,如 "0.0001"', 'it must be a decimal number in quotes, as "0.0001"')
    return text


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise _wrong(
            "应为枢纽的地址,如 https://hub.example:8420", "it must be the hub's address, as https://hub.example:8420"
        )
    if parts.username or parts.password:
        raise _wrong("地址中不得含有口令", "an address must not hold a password")
    return text.rstrip("/")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TokenPlace(_Part):
    """Where the token is; never the token itself."""

    file: str | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _one(self) -> "TokenPlace":
        if (self.file is None) == (self.env is None):
            raise _wrong("应恰好写 file 与 env 之一", "it must have exactly one of file and env")
        return self


class FieldRule(_Part):
    """How a field comes out of a column."""

    column: str | None = None
    codes: Mapping[str, str] | None = None
    date_format: str | None = None
    multiply: Annotated[str, AfterValidator(_factor)] | None = None
    constant: str | None = None

    @model_validator(mode="after")
    def _sensible(self) -> "FieldRule":
        if (self.column is None) == (self.constant is None):
            raise _wrong("应恰好写 column 与 constant 之一", "it must have exactly one of column and constant")
        if self.constant is not None and (self.codes or self.date_format or self.multiply):
            raise _wrong("constant 不能与其他规则并用", "constant stands alone")
        if self.date_format is not None and (self.multiply is not None or "%" not in self.date_format):
            raise _wrong(
                'date_format 应形如 "%Y%m%d",且不能与 multiply 并用',
                'date_format is a form like "%Y%m%d", and never with multiply',
            )
        return self


class MappingPlan(_Part):
    """From the source's columns to the contract's fields."""

    fields: Mapping[str, FieldRule] = Field(default_factory=dict)
    nulls: Sequence[str] = ()
    ignore: Sequence[str] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the YAML file holds
        if isinstance(given, dict) and isinstance(given.get("fields"), dict):
            fields = {
                name: {"column": rule} if isinstance(rule, str) else rule for name, rule in given["fields"].items()
            }
            return {**given, "fields": fields}
        return given


class BatchPlan(_Part):
    """How records are cut into batches."""

    records: int = Field(default=25_000, ge=1, le=_LIMITS.records_max)
    bytes: int = Field(default=_LIMITS.bytes_max, ge=64 * 1024, le=_LIMITS.bytes_max)
    in_flight: int = Field(default=3, ge=1, le=16)


class SigningPlan(_Part):
    """The key batches are signed with; without it they go unsigned."""

    key_id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    key_file: str = Field(min_length=1)


class Schedule(_Part):
    """How often ``run --follow`` looks for something new."""

    every_seconds: float = Field(default=60, ge=0.1, le=7 * 86_400, strict=False)


class ConnectorConfig(_Part):
    """A connector. ``source`` without ``kind`` is for the source of that kind to check."""

    dataset: str = Field(pattern=r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$")
    hub: Annotated[str, AfterValidator(_address)]
    token: TokenPlace
    signing: SigningPlan | None = None
    sender: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]{1,39}$")
    source: Mapping[str, Any]
    mapping: MappingPlan = MappingPlan()
    batch: BatchPlan = BatchPlan()
    rejects: Literal["send", "hold"] = "send"
    schedule: Schedule = Schedule()
    state: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_literal_token(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the YAML file holds
        if isinstance(given, dict) and isinstance(given.get("token"), str):
            # The sentence must not repeat the token: pydantic would keep it as the error's input.
            raise PydanticCustomError("literal_token", "token")
        return given


class Connector:
    """A checked configuration and the file it came from; relative paths in it start at the file's folder."""

    def __init__(self, file: Path, config: ConnectorConfig) -> None:
        self.file = file
        self.config = config
        self.folder = file.absolute().parent

    @property
    def state_folder(self) -> Path:
        """Where the connector keeps what it must not forget."""
        if self.config.state is not None:
            return self.folder / self.config.state
        return self.folder / f".{self.file.name}.state"

    def token(self, environment: Mapping[str, str] = os.environ) -> str:
        """The token.

        Raises:
            TokenMissing: the place named has none.
        """
        place = self.config.token
        if place.env is not None:
            found, where = environment.get(place.env, ""), f"${place.env}"
        else:
            path = self.folder / str(place.file)
            where = str(path)
            try:
                found = path.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError):
                found = ""
        if not found.strip() or len(found.split()) != 1:
            raise TokenMissing(where)
        return found.strip()


def read_connector(file: Path) -> Connector:
    """Read a connector's YAML file.

    Raises:
        ConfigUnreadable: it is not there or no YAML.
        ConfigWrong: something in it, by place.
    """
    name = file.name
    try:
        text = file.read_bytes()[: CONFIG_BYTES_MAX + 1].decode("utf-8-sig")
        given = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that refuses repeated keys
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise ConfigUnreadable(str(file), reason, reason) from None
    except UnicodeDecodeError:
        raise ConfigUnreadable(name, "不是 UTF-8 文本", "it is no UTF-8 text") from None
    except yaml.YAMLError as problem:
        raise ConfigUnreadable(name, *_of_yaml(problem)) from None
    if not isinstance(given, dict):
        raise ConfigUnreadable(name, "应为「键: 值」形式的 YAML", "it must be YAML of keys and values")
    try:
        config = ConnectorConfig.model_validate(given)
    except ValidationError as problem:
        raise wrong_place(name, problem, ConnectorConfig) from None
    if not isinstance(config.source.get("kind"), str):
        raise ConfigWrong(
            name, "source.kind", "应为 files、spatial 或 database", "it must be files, spatial or database"
        )
    return Connector(file, config)


def wrong_place(file: str, problem: ValidationError, model: type[BaseModel], prefix: str = "") -> ConfigWrong:
    """The first thing pydantic found, as a sentence about a place."""
    # A misspelt key is missing under its right name as well; the misspelling says more.
    first = min(problem.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    parts = [str(part) for part in first["loc"]]
    if first["type"] == "literal_token":
        parts = ["token"]
    place = prefix + ".".join(parts) if parts else prefix.rstrip(".") or "(top)"
    return ConfigWrong(file, place, *_sentences(first, model))


_SAID: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("缺少此项,请补上", "it is missing; write it"),
    "string_type": ("应为文字;数字和 true/false 请加引号", "it must be text; put numbers and true or false in quotes"),
    "int_type": ("应为整数", "it must be a whole number"),
    "float_type": ("应为数字", "it must be a number"),
    "bool_type": ("应为 true 或 false", "it must be true or false"),
    "literal_token": (
        "令牌不得写在配置文件中,请写 {file: 路径} 或 {env: 变量名}",
        "a token must not stand in the configuration; write {file: PATH} or {env: NAME}",
    ),
    "string_pattern_mismatch": ("形式不对", "its form is wrong"),
    **dict.fromkeys(
        ("mapping_type", "model_type", "dict_type"), ("应为「键: 值」形式", "it must have keys and values")
    ),
    **dict.fromkeys(
        ("list_type", "sequence_str", "sequence_type"), ("应为列表,如 [a, b]", "it must be a list, as [a, b]")
    ),
    "too_short": ("至少要有一项", "it must have at least one entry"),
}
_BOUNDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "greater_than_equal": ("ge", "应不小于 {}", "it must be at least {}"),
    "greater_than": ("gt", "应大于 {}", "it must be more than {}"),
    "less_than_equal": ("le", "应不大于 {}", "it must be at most {}"),
    "literal_error": ("expected", "应为 {}", "it must be {}"),
}


def _sentences(first: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    kind, context = first["type"], first.get("ctx", {})
    if kind in _BOUNDS:
        name, zh, en = _BOUNDS[kind]
        return zh.format(str(context[name]).replace(" or ", " 或 ")), en.format(context[name])
    if kind == "extra_forbidden":
        return _of_unknown(first, model)
    if kind == "string_pattern_mismatch" and first["loc"][-1:] == ("dataset",):
        return "应为 <区划代码>.<名称>,如 420000.resident", "it must be <region code>.<name>, as 420000.resident"
    # What a validator of this module raised brings its own sentences.
    said = (str(context.get("zh", "值不合规则")), str(context.get("en", first["msg"])))
    return _SAID.get(kind, said)


def _of_unknown(first: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """No such key: which there are, and the nearest."""
    known = [*_model_at(model, first["loc"][:-1]).model_fields]
    near = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
    hint_zh, hint_en = (f",是否应为 {near[0]}", f"; is it {near[0]}") if near else ("", "")
    listed = ", ".join(known)
    return f"没有此项{hint_zh};可用:{listed}", f"there is no such key{hint_en}; there are {listed}"


def _model_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    inner = {
        "token": TokenPlace,
        "mapping": MappingPlan,
        "batch": BatchPlan,
        "schedule": Schedule,
        "signing": SigningPlan,
    }
    if len(path) == 3:  # noqa: PLR2004 - mapping.fields.<name>
        return FieldRule
    return inner.get(str(path[0]), model) if path else model


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: the later would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = key.value
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {name!r} twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _of_yaml(problem: yaml.YAMLError) -> tuple[str, str]:
    mark = getattr(problem, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    # yaml's own words may quote the line, where a secret could stand; only its kind is told.
    if isinstance(problem, yaml.constructor.ConstructorError) and str(problem.problem or "").endswith("twice"):
        return f"第 {line} 行的键重复", f"the key in line {line} stands twice"
    return f"第 {line} 行不是 YAML", f"line {line} is no YAML"
