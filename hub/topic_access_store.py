"""Who may write to which topic and read which, as the store has it: owners their datasets', subscribers their own."""

from psycopg import Connection
from psycopg.rows import class_row

from catalog.subscription import TOPIC_PREFIX as SUBSCRIPTIONS
from hub.exchange.kafka_log_rules import Rule
from hub.exchange.log import TOPIC_PREFIX
from hub.identity.caller_store import CLIENT_PREFIX

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('hub topic access', 0))"
# Suspended applications are out at once; their tokens would count at the broker until they end by themselves.
_WANTED = """
WITH client AS (
    SELECT substr(x.subject, length(%(client_prefix)s::text) + 1) AS name, a.id::text AS application, a.organization
    FROM external_identity x JOIN application a ON a.id = x.application
    WHERE x.issuer = %(issuer)s AND starts_with(x.subject, %(client_prefix)s) AND a.suspended_at IS NULL
), reading AS (
    SELECT c.name, %(subscription_prefix)s || s.id AS topic FROM subscription s
    JOIN client c ON s.subscriber IN ('application:' || c.application, 'organization:' || c.organization)
    WHERE s.kind = 'topic' AND s.state <> 'ended'
)
SELECT c.name AS client, 'write' AS may, 'topic' AS kind, %(topic_prefix)s || d.id AS name
FROM client c JOIN dataset d ON d.organization = c.organization
UNION SELECT r.name, 'read', k.kind, r.topic FROM reading r, (VALUES ('topic'), ('group')) k (kind)
"""


def held_alone(conn: Connection) -> bool:
    """Whether this connection is the one that keeps the rules; it is until it closes."""
    row = conn.execute(_LOCK).fetchone()
    return row is not None and bool(row[0])


def wanted_rules(conn: Connection, issuer: str) -> frozenset[Rule]:
    """The rules there should be."""
    with conn.cursor(row_factory=class_row(Rule)) as cursor:
        found = cursor.execute(
            _WANTED,
            {
                "issuer": issuer,
                "client_prefix": CLIENT_PREFIX,
                "topic_prefix": TOPIC_PREFIX,
                "subscription_prefix": SUBSCRIPTIONS,
            },
        ).fetchall()
    return frozenset(found)
