"""Who may do what: every endpoint of the door, and what each kind of caller gets there.

The one part of the access matrix that is written by hand; the matrix is made of it and of the OpenAPI document. A new
endpoint that stands in the document and not here fails the matrix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

PUBLIC: Final = "public"
# Organizations' own tokens, and people. gong-an owns the dataset, ren-she holds the grant, min-zheng has no part in it;
# the reviewer, the auditor, the operator and the administrator are of da-shu-ju, the hub's office.
OWNER: Final = frozenset({"owner", "steward"})
HOLDER: Final = frozenset({"holder", "person of the holder"})
ANOTHER: Final = frozenset({"another", "steward of another"})
OVERSEERS: Final = frozenset({"reviewer", "auditor", "administrator"})
OUTSIDE: Final = frozenset({"developer", "application"})  # of no organization
KNOWN: Final = OWNER | HOLDER | ANOTHER | OVERSEERS | OUTSIDE | {"operator"}
ALL: Final = KNOWN | {PUBLIC}
PEOPLE: Final = KNOWN - {"owner", "holder", "another", "application"}
PROVIDER: Final = frozenset({"steward", "reviewer", "administrator"})  # who decides on what the owner has
MINE: Final = frozenset({"developer", "administrator"})  # of an application that the developer owns
ADMINISTRATOR: Final = frozenset({"administrator"})


@dataclass(frozen=True, slots=True)
class Access:
    """What an endpoint gives to whom.

    Args:
        may: who is answered, or refused for reasons that are none of access.
        told: who is told that they may not (403).
        rest: 403, or 404 where the object itself is not to be known: the answer is that of one that is not there.
    """

    may: frozenset[str]
    told: frozenset[str] = frozenset()
    rest: int = 404

    def status_for(self, caller: str, *, public_too: bool) -> int:
        """200 stands for whatever is no refusal."""
        if caller in self.may:
            return 200
        if caller == PUBLIC and not public_too:
            return 401
        return 403 if caller in self.told else self.rest


def _only(*callers: str, among: Iterable[str] = ()) -> Access:
    return Access(frozenset(callers) | frozenset(among), rest=403)


_ALL, _KNOWN = Access(ALL), Access(KNOWN)
_OF_EXCHANGE = Access(OWNER, told=OUTSIDE)
_OF_RELEASE = _only("steward", among=HOLDER)
_OF_REQUEST = Access(OWNER | HOLDER | OVERSEERS)
_OF_PROPOSAL = Access(OWNER | OVERSEERS)
_PARTIES = OWNER | HOLDER | OVERSEERS
_BY_PROVIDER = Access(PROVIDER, told=_PARTIES - PROVIDER)
_BY_HOLDER = Access(HOLDER, told=_PARTIES - HOLDER)
_BY_HOLDER_TOO = Access(HOLDER | ADMINISTRATOR, told=_PARTIES - HOLDER - ADMINISTRATOR)
_APPROVES = Access(PROVIDER, told=frozenset({"owner", "auditor"}))
_STEWARD = Access(frozenset({"steward"}), told=KNOWN - {"steward", "steward of another"})
_REVIEWER = _only("reviewer")
_OWN = Access(frozenset({"holder", "auditor"}))
_SUBSCRIBER = Access(frozenset({"holder", "operator", "administrator"}))

TABLE: Final[Mapping[str, Access]] = {
    # The exchange: whose dataset it is, and who has a mandate.
    "GET /v1/exchange/receipts/{batch}": _OF_EXCHANGE,
    "POST /v1/exchange/{dataset}/batches": _OF_EXCHANGE,
    "GET /v1/exchange/{dataset}/quarantine": _OF_EXCHANGE,
    "GET /v1/exchange/{dataset}": _OF_EXCHANGE,
    "GET /v1/contracts": _KNOWN,
    "GET /v1/contracts/{name}/{version}": _KNOWN,
    # Requests.
    "POST /v1/requests": _KNOWN,
    "GET /v1/requests": _KNOWN,
    "GET /v1/requests/{request}": _OF_REQUEST,
    "POST /v1/requests/{request}/notice": _BY_PROVIDER,
    "POST /v1/requests/{request}/completion": _BY_HOLDER,
    "POST /v1/requests/{request}/acceptance": _BY_PROVIDER,
    "POST /v1/requests/{request}/refusal": _BY_PROVIDER,
    "POST /v1/requests/{request}/extension": _BY_PROVIDER,
    "POST /v1/requests/{request}/extension/consent": Access(ADMINISTRATOR, told=_PARTIES - ADMINISTRATOR),
    "POST /v1/requests/{request}/delivery": _BY_PROVIDER,
    "POST /v1/requests/{request}/closing": _BY_HOLDER_TOO,
    "POST /v1/requests/{request}/withdrawal": _BY_HOLDER_TOO,
    # Grants. A holder does not know of a proposal before it is given.
    "POST /v1/grants/proposals": Access(PROVIDER, told=_PARTIES - PROVIDER),
    "GET /v1/grants/proposals": _KNOWN,
    "GET /v1/grants/proposals/{proposal}": _OF_PROPOSAL,
    "POST /v1/grants/proposals/{proposal}/approval": _APPROVES,
    "POST /v1/grants/proposals/{proposal}/withdrawal": _APPROVES,
    "GET /v1/grants/proposals/{proposal}/simulation": _APPROVES,
    "POST /v1/grants/emergencies": _only("reviewer", "administrator"),
    "GET /v1/grants": _KNOWN,
    "GET /v1/grants/{grant}": _OF_REQUEST,
    "POST /v1/grants/{grant}/suspension": _BY_PROVIDER,
    "POST /v1/grants/{grant}/rectification": _BY_HOLDER,
    "POST /v1/grants/{grant}/resumption": _BY_PROVIDER,
    "POST /v1/grants/{grant}/review": Access(
        frozenset({"reviewer", "administrator"}), told=OWNER | HOLDER | {"auditor"}
    ),
    "POST /v1/grants/{grant}/end": Access(PROVIDER | HOLDER, told=frozenset({"owner", "auditor"})),
    "POST /v1/grants/{grant}/usage": _BY_HOLDER,
    "GET /v1/grants/{grant}/usage": _OF_REQUEST,
    "GET /v1/tiers": _only(among=OVERSEERS),
    "POST /v1/tiers": _only("administrator"),
    "GET /v1/tiers/{version}": _only(among=OVERSEERS),
    "POST /v1/tiers/{version}/approval": _only("administrator"),
    "GET /v1/tiers/{version}/simulation": _only("administrator"),
    # People and applications.
    "GET /v1/me": _ALL,
    "POST /v1/me/password": Access(PEOPLE),
    "GET /v1/people": _only("auditor", "administrator"),
    "POST /v1/people": _only("administrator"),
    "POST /v1/people/{person}/roles": _only("administrator"),
    "PUT /v1/people/{person}/approval": _only("administrator"),
    "DELETE /v1/people/{person}/approval": _only("administrator"),
    "POST /v1/people/{person}/suspend": _only("administrator"),
    "POST /v1/people/{person}/resume": _only("administrator"),
    "POST /v1/people/{person}/password": _only("administrator"),
    "GET /v1/applications": _only("auditor", "administrator", "developer", "steward", "steward of another"),
    "POST /v1/applications": _only(among=MINE),
    "GET /v1/applications/{application}": Access(MINE | {"auditor"}),
    "PUT /v1/applications/{application}/redirect-uris": Access(MINE),
    "POST /v1/applications/{application}/suspend": Access(MINE),
    "POST /v1/applications/{application}/resume": _only("administrator"),
    "GET /v1/applications/{application}/keys": Access(MINE | {"auditor"}),
    "POST /v1/applications/{application}/keys": Access(MINE),
    "DELETE /v1/applications/{application}/keys/{key}": Access(MINE),
    # The catalogue. The dataset's entry may be known to everyone; ``hidden_dataset`` is the one that may not.
    "GET /v1/catalog/entries": _ALL,
    "GET /v1/catalog/entries/{dataset}": _ALL,
    "GET /v1/catalog/entries/{dataset}/versions": _ALL,
    "GET /v1/catalog/entries/{dataset}/versions/{first}..{second}": _ALL,
    "GET /v1/catalog/dcat": _ALL,
    "POST /v1/catalog/entries/{dataset}/draft": _STEWARD,
    "POST /v1/catalog/entries/{dataset}/submit": _STEWARD,
    "POST /v1/catalog/entries/{dataset}/review": _REVIEWER,
    "POST /v1/catalog/entries/{dataset}/secrecy-review": _REVIEWER,
    "POST /v1/catalog/entries/{dataset}/send-back": _only("reviewer", "administrator"),
    "POST /v1/catalog/entries/{dataset}/publish": _only("administrator"),
    "POST /v1/catalog/entries/{dataset}/withdraw": Access(
        frozenset({"steward", "administrator"}), told=KNOWN - {"steward", "administrator", "steward of another"}
    ),
    "POST /v1/catalog/entries/{dataset}/levels": Access(PROVIDER, told=KNOWN - PROVIDER - {"steward of another"}),
    "GET /v1/catalog/entries/{dataset}/proposals": Access(OWNER | OVERSEERS),
    # The ledger: heads are everybody's, a leaf is of who acted, of the organization that did, and of auditors.
    "GET /v1/ledger/checkpoint": _ALL,
    "GET /v1/ledger/checkpoints": _ALL,
    "GET /v1/ledger/consistency": _ALL,
    "GET /v1/ledger/keys": _ALL,
    "GET /v1/ledger/leaves/{leaf}/proof": Access(HOLDER | {"auditor"}),
    # Release: under a grant, or as the dataset's steward.
    "GET /v1/datasets/{dataset}/records": _OF_RELEASE,
    "POST /v1/datasets/{dataset}/query": _OF_RELEASE,
    "GET /v1/datasets/{dataset}/records/{reference}": Access(  # of the organization it was given to
        HOLDER, told=ALL - HOLDER - {"steward"}
    ),
    "GET /v1/datasets/{dataset}/explain": _ALL,
    "GET /v1/datasets/{dataset}/export": _OF_RELEASE,
    "GET /v1/exports/{export}": _OWN,
    "GET /v1/datasets/{dataset}/changes": _OF_RELEASE,
    "POST /v1/subscriptions": _only(among=HOLDER),  # delivered while nobody is there: no role opens it
    "GET /v1/subscriptions": _KNOWN,
    "GET /v1/subscriptions/{subscription}": Access(_SUBSCRIBER.may | {"auditor"}),
    "POST /v1/subscriptions/{subscription}/pause": _SUBSCRIBER,
    "POST /v1/subscriptions/{subscription}/resume": _SUBSCRIBER,
    "POST /v1/subscriptions/{subscription}/end": _SUBSCRIBER,
    "POST /v1/subscriptions/{subscription}/pull": Access(frozenset({"holder"})),
    "GET /v1/decisions/{decision}/explain": _OWN,
    # The open tier, and what needs no token.
    "GET /v1/statistics": _ALL,
    "GET /v1/statistics/{dataset}/{aggregate}": _ALL,
    "GET /v1/statistics/{dataset}/{aggregate}/report": _ALL,
    "GET /v1/health/live": _ALL,
    "GET /v1/health/ready": _ALL,
    "GET /v1/problems/{code}": _ALL,
}
