"""What a demo ended in, to be compared: ``python -m seeds.demo_outcome .demo .stack/demo``.

A demo leaves ``outcome.json`` in its folder: the digest of every dataset's content, and how each field of a resident is
decided for the three callers. Two hubs of whatever parts that were filled with the same must have the same in it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seeds.demo_grants import DEPARTMENT_WISH, DEVELOPER_WISH, RESIDENT, Wish
from seeds.demo_processes import program, run
from seeds.demo_release import Callers, purpose_of

FILE: Final = "outcome.json"


def write_outcome(folder: Path, environment: Mapping[str, str], callers: Callers) -> None:
    """Write down what the hub holds and decides now."""
    stored = json.loads(run([program("hub"), "store", "digest", "--json"], environment))
    decided = {
        "public": _decided(callers.public.get(f"/v1/datasets/{RESIDENT}/explain")),
        "developer": _decided(_explained(callers.developer, DEVELOPER_WISH)),
        "department": _decided(_explained(callers.department, DEPARTMENT_WISH)),
    }
    outcome = {"stored": {one["dataset"]: one["sm3"] for one in stored}, "decided": decided}
    text = json.dumps(outcome, ensure_ascii=False, indent=2, sort_keys=True)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def _explained(session: Any, wish: Wish) -> Mapping[str, Any]:  # noqa: ANN401 - decoded JSON
    return session.get(f"/v1/datasets/{RESIDENT}/explain", headers=purpose_of(wish))


def _decided(explanation: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = explanation.get("fields", {})
    return {name: {key: field.get(key) for key in ("treatment", "basis", "rule")} for name, field in fields.items()}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What differs, by its place."""
    places: list[str] = []
    for name in sorted({*one, *other}):
        left, right = one.get(name), other.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            places += [f"{name}.{place}" for place in differences(left, right)]
        elif left != right:
            places.append(name)
    return places


def main(arguments: Sequence[str]) -> int:
    """Compare two demos' outcomes: 0 where they are the same, 1 with what differs."""
    first, second = (json.loads((Path(folder) / FILE).read_text(encoding="utf-8")) for folder in arguments)
    found = differences(first, second)
    if found or not first["stored"] or not first["decided"]["department"]:
        sys.stderr.write(f"the two demos differ in: {', '.join(found) or 'nothing, but hold nothing'}\n")
        return 1
    sys.stdout.write(f"the two demos hold and decide the same: {len(first['stored'])} datasets, three callers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
