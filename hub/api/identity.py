"""Identity put together from the settings: one verifier, and the hub's own issuer or another's keys behind it."""

from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from hub.identity import passwords
from hub.identity.callers import Callers
from hub.identity.embedded_issuer import EmbeddedIssuer
from hub.identity.embedded_issuer_keys import SEALING_KEY_BYTES, SEALING_PURPOSE, SigningKeys
from hub.identity.issuer_keys import IssuerKeys
from hub.identity.remote_keys import remote_keys
from hub.identity.tokens import Tokens
from hub.keys import Keys
from hub.main import utc_now
from hub.settings import Settings
from schemas.national.provider import CryptoProvider

OWN_ISSUER_PATH = "/v1/oidc"


@dataclass(frozen=True, slots=True)
class IdentityParts:
    """What the API needs of identity; the issuer is None where the hub trusts another's."""

    callers: Callers
    tokens: Tokens
    issuer: EmbeddedIssuer | None


def public_url_of(settings: Settings) -> str:
    """The address callers reach the hub at."""
    if settings.public_url is not None:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def identity_of(settings: Settings, pool: ConnectionPool, keys: Keys, provider: CryptoProvider) -> IdentityParts:
    """Verifier, callers and issuer over a pool; with the built-in issuer its first key is made here."""
    audience = settings.oidc_audience
    if settings.oidc_issuer is not None:
        tokens = Tokens(settings.oidc_issuer, audience, IssuerKeys(remote_keys(settings.oidc_issuer)))
        return IdentityParts(Callers(pool, tokens, built_in=False), tokens, None)
    issuer = public_url_of(settings) + OWN_ISSUER_PATH
    signing = SigningKeys(pool, provider, keys.derive(SEALING_PURPOSE, SEALING_KEY_BYTES))
    signing.current(utc_now())
    passwords.ready()
    # Its keys are in the store: looking again costs a query, not a journey.
    published = IssuerKeys(lambda: signing.published(utc_now()), ttl_seconds=60, refetch_seconds=1)
    tokens = Tokens(issuer, audience, published)
    return IdentityParts(Callers(pool, tokens), tokens, EmbeddedIssuer(pool, signing, issuer, audience))
