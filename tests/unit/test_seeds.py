import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from seeds import flaws, generate, legal_persons, persons, relations
from seeds.generate import Plan

COUNT, SEED = 3_000, 7


def silent(_: str) -> None:
    return


@pytest.fixture(scope="module")
def residents() -> pl.DataFrame:
    return persons.residents(COUNT, SEED)


@pytest.fixture(scope="module")
def registered(residents: pl.DataFrame) -> pl.DataFrame:
    return legal_persons.registrations(1_000, SEED, residents)


def citizen_check(body: str) -> str:
    weights = [pow(2, 17 - place, 11) for place in range(17)]
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def credit_check(body: str) -> str:
    alphabet = legal_persons.ALPHABET
    total = sum(alphabet.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return alphabet[-total % 31]


def organisation_check(body: str) -> str:
    total = sum(int(character, 36) * weight for character, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return "0123456789X"[-total % 11]


def test_the_check_rules_of_this_test_agree_with_the_vectors_of_the_standards():
    assert citizen_check("11010519491231002") == "X"
    assert credit_check("91350100M000100Y4") == "3"
    assert organisation_check("80210043") == "3"


def test_the_same_seed_gives_the_same_residents(residents: pl.DataFrame):
    assert persons.residents(COUNT, SEED).equals(residents)
    assert not persons.residents(COUNT, SEED + 1).equals(residents)


def test_every_citizen_id_is_valid_and_agrees_with_birth_date_and_sex(residents: pl.DataFrame):
    for number, born, sex in residents.select("id_number", "birth_date", "sex").iter_rows():
        assert citizen_check(number[:17]) == number[17]
        assert number[6:14] == born.strftime("%Y%m%d")
        assert int(number[16]) % 2 == (1 if sex == "1" else 0)


def test_ids_are_issued_by_counties_of_hubei_and_are_unique(residents: pl.DataFrame):
    counties = set(pl.read_csv("seeds/data/divisions_nbs2023_42.csv", infer_schema=False)["code"])
    prefixes = set(residents["id_number"].str.head(6))
    assert prefixes <= counties
    assert not [prefix for prefix in prefixes if re.fullmatch(r"\d{4}7\d", prefix)]
    assert residents["id_number"].is_unique().all()


def test_every_synthetic_record_says_so(residents: pl.DataFrame, registered: pl.DataFrame):
    frames = [residents, registered, legal_persons.tax_registrations(SEED, registered)]
    frames += [relations.marriages(SEED, residents)]
    frames += [relations.social_insurances(SEED, residents, registered["credit_code"])]
    assert all(frame["synthetic"].all() and frame.height for frame in frames)


def test_both_check_characters_of_every_credit_code_are_valid(registered: pl.DataFrame):
    for code in registered["credit_code"]:
        assert credit_check(code[:17]) == code[17]
        assert organisation_check(code[8:16]) == code[16]


def test_spouses_differ_in_sex_and_were_of_age(residents: pl.DataFrame):
    married = relations.marriages(SEED, residents)
    people = residents.select("id_number", "sex", "birth_date")
    for role, sex, age in (("husband", "1", 22), ("wife", "2", 20)):
        joined = married.join(people, left_on=f"{role}_id_number", right_on="id_number", how="left")
        assert set(joined["sex"]) == {sex}
        assert (joined["registered_on"] >= joined["birth_date"].dt.offset_by(f"{age}y")).all()
    assert married["certificate_number"].is_unique().all()


def test_insurances_are_unique_by_person_and_kind(residents: pl.DataFrame, registered: pl.DataFrame):
    insured = relations.social_insurances(SEED, residents, registered["credit_code"])
    assert not insured.select("id_number", "insurance_type").is_duplicated().any()


def test_nothing_is_dated_after_the_reference_day(residents: pl.DataFrame, registered: pl.DataFrame):
    assert residents["birth_date"].max() < date(2025, 1, 1)  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]  # a date column
    assert registered.select(pl.max_horizontal("established_on").max()).item() < date(2025, 1, 1)


@pytest.mark.parametrize("dataset", flaws.FLAWS)
def test_every_flaw_changes_exactly_its_share_of_the_rows(dataset: str):
    sound = generate.draw(Plan(COUNT, COUNT // 5, SEED), silent).frames[dataset]
    counted = dict(sound["flaw"].drop_nulls().value_counts().iter_rows())
    promised = {code: n for found in flaws.outcomes(dataset, sound).values() for code, n in found.items()}
    assert counted == promised
    assert set(counted) <= {flaw.code for flaw in flaws.FLAWS[dataset]}


def test_dependents_refer_only_to_sound_records_or_to_strangers():
    frames = generate.draw(Plan(COUNT, COUNT // 5, SEED), silent).frames
    sound = set(frames["resident"].filter(pl.col("flaw").is_null())["id_number"])
    everybody = set(frames["resident"]["id_number"])
    marriage = frames["marriage"]
    strangers = marriage.filter(pl.col("flaw") == "stranger")["wife_id_number"]
    assert not set(strangers) & everybody
    assert set(marriage.filter(pl.col("flaw").is_null())["wife_id_number"]) <= sound
    assert set(marriage.filter(pl.col("flaw").is_null())["husband_id_number"]) <= sound


def test_a_folder_is_generated_once_and_only_for_one_plan(tmp_path: Path):
    promise = generate.generate(tmp_path, Plan(500, 100, SEED), silent)
    residents = tmp_path / "resident" / "residents.csv"
    residents.unlink()  # as a connector moves a file it has sent
    assert generate.generate(tmp_path, Plan(500, 100, SEED), silent) == promise
    assert not residents.exists()
    with pytest.raises(generate.PlanDiffers):
        generate.generate(tmp_path, Plan(600, 120, SEED), silent)


def test_the_police_file_is_gb18030_with_crlf(tmp_path: Path):
    generate.generate(tmp_path, Plan(500, 100, SEED), silent)
    text = (tmp_path / "resident" / "residents.csv").read_bytes().decode("gb18030")
    assert text.startswith("公民身份号码,姓名,性别")
    assert text.count("\r\n") == text.count("\n") > 500
