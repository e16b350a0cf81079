"""The contracts that come with the hub."""

import pytest

from schemas import codelists
from schemas.contract import Contract, load_shipped

SHIPPED = load_shipped()


def test_eleven_contracts_of_four_bases_come_with_the_hub():
    assert len(SHIPPED) == 11
    assert {contract.base for contract in SHIPPED} == {"population", "legal_person", "geospatial", "macro_economy"}


@pytest.mark.parametrize("contract", SHIPPED, ids=lambda contract: contract.name)
def test_a_shipped_contract_governs_every_field(contract: Contract):
    for field in contract.fields:
        assert field.title_zh
        assert not field.title_zh.isascii()
        assert field.title_en.isascii()
        assert len(field.national_type) == 1
        assert field.level in {1, 2, 3, 4}
        assert field.code_list is None or field.code_list in codelists.names()


def test_references_of_shipped_contracts_lead_to_keys_of_shipped_contracts():
    by_name = {contract.name: contract for contract in SHIPPED}
    for contract in SHIPPED:
        for reference in contract.references:
            parent = by_name[reference.dataset]
            assert reference.to_fields == parent.key
            kinds = [contract.field(name).type for name in reference.fields]
            assert kinds == [parent.field(name).type for name in reference.to_fields]


def test_citizen_ids_are_of_the_highest_level():
    for contract in SHIPPED:
        for field in contract.fields:
            if any(check.kind == "citizen_id" for check in field.checks):
                assert field.level == 4
