"""The kill-list: ids of tokens and sessions that are refused whatever their signature says."""

from datetime import datetime, timedelta

from psycopg import Connection

KEPT = timedelta(days=2)  # longer than any token the hub takes lives


def revoke(conn: Connection, token_or_session: str, now: datetime) -> None:
    """Put a token's ``jti`` or a session's ``sid`` on the list."""
    conn.execute("DELETE FROM revoked_token WHERE expires_at <= %s", [now])
    conn.execute(
        "INSERT INTO revoked_token (id, revoked_at, expires_at) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
        [token_or_session, now, now + KEPT],
    )


def is_revoked(conn: Connection, token_or_session: str) -> bool:
    """Whether it is on the list."""
    found = conn.execute("SELECT 1 FROM revoked_token WHERE id = %s", [token_or_session]).fetchone()
    return found is not None


def revoke_sign_ins(conn: Connection, account: str, now: datetime) -> None:
    """Every sign-in of an account, with all tokens that came from it."""
    conn.execute(
        "INSERT INTO revoked_token (id, revoked_at, expires_at) SELECT DISTINCT family::text, %(now)s::timestamptz,"
        " %(until)s::timestamptz FROM (SELECT family FROM refresh_token WHERE account = %(account)s"
        " AND expires_at > %(now)s UNION SELECT family FROM authorization_code WHERE account = %(account)s"
        " AND expires_at > %(now)s) AS live ON CONFLICT (id) DO NOTHING",
        {"now": now, "until": now + KEPT, "account": account},
    )


def revoke_sign_ins_through(conn: Connection, application: str, now: datetime) -> None:
    """Every sign-in through an application, with all tokens that came from it."""
    conn.execute(
        "INSERT INTO revoked_token (id, revoked_at, expires_at) SELECT DISTINCT family::text, %(now)s::timestamptz,"
        " %(until)s::timestamptz FROM (SELECT family FROM refresh_token WHERE application = %(application)s"
        " AND expires_at > %(now)s UNION SELECT family FROM authorization_code WHERE application = %(application)s"
        " AND expires_at > %(now)s) AS live ON CONFLICT (id) DO NOTHING",
        {"now": now, "until": now + KEPT, "application": application},
    )
