"""Many sound residents as one CSV file in the contract's own form, for measuring.

``python -m seeds.bulk FILE --residents 1000000``
"""

import argparse
from pathlib import Path

from seeds import persons


def write_residents(file: Path, count: int, seed: int) -> None:
    """``count`` residents with the contract's field names, dates in ISO 8601, keys in random order."""
    persons.residents(count, seed).write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S%.6f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--residents", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args()
    write_residents(given.file, given.residents, given.seed)


if __name__ == "__main__":
    main()
