"""A contract's text: JSON with one reading, or no contract."""

import pytest
from contract_maker import contract_text

from schemas.contract import parse_contract
from schemas.contract_errors import ContractUnreadable, ContractWrong

SOURCE = contract_text({"code": "string", "note": "string"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"type":"record","type":"record"}',
        SOURCE.replace('"name": "note"', '"name": "note", "name": "note2"'),
        SOURCE.replace('"level": 1', '"level": 1, "level": 4', 1),
        '{"name":"\\ud800"}',
        '{"name":"\ud800"}',
        '{"a":' * 40 + "1" + "}" * 40,
        "[" * 100_000,
        '{"version":1e400}',
    ],
)
def test_json_that_can_be_read_two_ways_is_no_contract(text: str):
    with pytest.raises(ContractUnreadable):
        parse_contract(text)


@pytest.mark.parametrize("text", ["null", "[]", '"record"', "7"])
def test_json_that_is_no_object_is_no_record(text: str):
    with pytest.raises(ContractWrong):
        parse_contract(text)
