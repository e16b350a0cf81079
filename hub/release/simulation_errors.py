"""What can go wrong when a proposal is simulated.

HubError
└── ReleaseError
    └── SimulationTooLong   more was recorded than can be read in the time there is
"""

from dataclasses import dataclass
from typing import ClassVar

from hub.release.errors import ReleaseError


@dataclass(eq=False)
class SimulationTooLong(ReleaseError):
    """More was recorded than can be read in the time there is."""

    days: int

    code: ClassVar[str] = "simulation_too_long"
    zh: ClassVar[str] = "最近 {days} 天的请求记录过多,未能在时限内读完;请减少天数。"
    en: ClassVar[str] = (
        "more requests are recorded of the last {days} days than can be read in time; ask for fewer days."
    )
