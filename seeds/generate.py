"""Fill a folder with what seven departments would hold, and write beside it what the hub should make of it.

``python -m seeds.generate FOLDER --residents 100000``
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from seeds import flaws, legal_persons, persons, relations, source_files
from seeds.draws import read_table, stream

Progress = Callable[[str], None]

EXPECTED = "expected.json"
RESIDENTS = 100_000
_REPEATS_PER_RESIDENT = 1 / 1000
# What a file says is as old as the file (its records have no version of their own), so every demo's are as old.
WRITTEN_AT: Final = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
_WORKING_AGE = (date(1955, 1, 1), date(2000, 12, 31))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate; the same plan gives the same bytes."""

    residents: int = RESIDENTS
    legal_persons: int = 20_000
    seed: int = 42

    def to_json(self) -> dict[str, int]:
        return {"residents": self.residents, "legal_persons": self.legal_persons, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Generated:
    """Everything synthetic, in text form with the column ``flaw``."""

    frames: Mapping[str, pl.DataFrame]

    def expected(self, dataset: str) -> dict[str, object]:
        frame = self.frames[dataset]
        found = flaws.outcomes(dataset, frame)
        rejected, pending = sum(found["rejected"].values()), sum(found["pending"].values())
        return {
            "received": frame.height,
            "accepted": frame.height - rejected - pending,
            "rejected": rejected,
            "pending": pending,
            "flaws": {code: count for outcome in found.values() for code, count in outcome.items()},
        }


def draw(plan: Plan, progress: Progress) -> Generated:
    """Draw every synthetic dataset. Dependents refer to sound records only, so that each flaw costs one record."""
    seed = plan.seed
    progress("residents")
    strangers = 64 + plan.residents // 100
    everybody = persons.residents(plan.residents + strangers, seed)
    known, unknown = everybody.head(plan.residents), everybody.tail(strangers)["id_number"]
    resident = flaws.spoil("resident", flaws.as_text(known), seed)
    sound = known.filter(resident["flaw"].is_null())
    progress("legal persons")
    grown = sound.filter(pl.col("birth_date").is_between(*_WORKING_AGE))
    companies = legal_persons.registrations(plan.legal_persons + strangers, seed, grown)
    listed, unlisted = companies.head(plan.legal_persons), companies.tail(strangers)["credit_code"]
    registration = flaws.spoil("registration", flaws.as_text(listed), seed)
    lasting = listed.filter(registration["flaw"].is_null())
    progress("insurances, marriages, tax registrations")
    insured = relations.social_insurances(seed, sound, lasting["credit_code"])
    married = relations.marriages(seed, sound)
    taxed = legal_persons.tax_registrations(seed, lasting)
    credit = {"known_credit_code": lasting["credit_code"]}
    return Generated(
        {
            "resident": _with_repeats(resident, seed),
            "registration": registration,
            "social_insurance": flaws.spoil(
                "social_insurance", flaws.as_text(insured), seed, {"stranger": unknown, **credit}
            ),
            "marriage": flaws.spoil("marriage", flaws.as_text(married), seed, {"stranger": unknown}),
            "tax_registration": flaws.spoil("tax_registration", flaws.as_text(taxed), seed, {"stranger": unlisted}),
        }
    )


def _with_repeats(resident: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Some sound rows a second time, identical, at the end."""
    rng = stream(seed, "repeats")
    sound = resident.filter(pl.col("flaw").is_null())
    count = round(resident.height * _REPEATS_PER_RESIDENT)
    return pl.concat([resident, sound[rng.choice(sound.height, count, replace=False)]])


def write(generated: Generated, folder: Path, progress: Progress) -> None:
    """Every department's file or database, complete or not there at all: written under another name and renamed."""
    frames = generated.frames
    files: list[tuple[str, Callable[[Path], None]]] = [
        ("resident/residents.csv", lambda file: source_files.police_residents(frames["resident"], file)),
        ("social_insurance/insurance.sqlite", lambda f: source_files.insurance_database(frames["social_insurance"], f)),
        ("marriage/marriages.xlsx", lambda file: source_files.marriage_workbook(frames["marriage"], file)),
        ("registration/registrations.csv", lambda f: source_files.market_registrations(frames["registration"], f)),
        ("tax_registration/tax.ndjson", lambda file: source_files.tax_lines(frames["tax_registration"], file)),
        ("institution/universities.csv", source_files.copy_of("universities_moe_42.csv")),
        ("division/divisions.csv", source_files.copy_of("divisions_nbs2023_42.csv")),
        ("place/places.gpkg", source_files.places_package),
        ("outline/outline.geojson", source_files.copy_of("outline_naturalearth_42.geojson")),
        ("indicator/indicators.csv", source_files.copy_of("indicators_nbs_fsnd.csv")),
        ("observation/observations.parquet", source_files.observations_table),
    ]
    for name, write_file in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        progress(name)
        unfinished = target.with_name(f".unfinished-{target.name}")
        unfinished.unlink(missing_ok=True)
        write_file(unfinished)
        os.utime(unfinished, (WRITTEN_AT, WRITTEN_AT))
        unfinished.rename(target)


def expected(generated: Generated, plan: Plan) -> dict[str, Any]:
    """What the hub should count for every dataset; the real ones are without flaws."""
    real: dict[str, int] = {
        "institution": read_table("universities_moe_42.csv").height,
        "division": read_table("divisions_nbs2023_42.csv").height,
        "place": read_table("places_geonames_42.csv").height,
        "outline": 1,
        "indicator": read_table("indicators_nbs_fsnd.csv").height,
        "observation": source_files.observations().height,
    }
    sound = {
        name: {"received": count, "accepted": count, "rejected": 0, "pending": 0, "flaws": {}}
        for name, count in real.items()
    }
    return {"plan": plan.to_json(), "datasets": {name: generated.expected(name) for name in generated.frames} | sound}


def generate(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Fill the folder unless it is there already; returns what is expected of the hub."""
    marker = folder / EXPECTED
    if marker.exists():
        found = json.loads(marker.read_text(encoding="utf-8"))
        if found["plan"] != plan.to_json():
            raise PlanDiffers(folder, found["plan"])
        return found
    generated = draw(plan, progress)
    write(generated, folder, progress)
    promise = expected(generated, plan)
    marker.write_text(json.dumps(promise, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return promise


class PlanDiffers(Exception):
    """The folder was generated with other numbers."""

    def __init__(self, folder: Path, plan: object) -> None:
        super().__init__(
            f"{folder} holds data generated by another plan: {plan}. Remove it, or ask for the same numbers."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--residents", type=int, default=RESIDENTS)
    given = parser.parse_args()
    promise = generate(given.folder, plan_for(given.residents), lambda step: print(f"generate: {step}"))  # noqa: T201 - a command
    print(json.dumps(promise["datasets"], ensure_ascii=False, indent=1))  # noqa: T201 - a command


def plan_for(residents: int) -> Plan:
    """One legal person for five residents."""
    return Plan(residents=residents, legal_persons=max(residents // 5, 1))


if __name__ == "__main__":
    main()
