"""What acceptance tests of identity need: people and applications made through the acts, and a person at a browser."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from psycopg import Connection
from running_door import plain_context

from catalog.caller import Role
from hub.acts import applications, people
from hub.acts.applications import NewApplication
from hub.acts.people import NewPerson
from hub.identity.people import caller_of_login
from hub.store.connect import connect

REDIRECT = "http://127.0.0.1:9/back"
ADMINISTRATOR, SECOND = "root", "root2"


@dataclass
class Account:
    """A person's account as its owner knows it."""

    login: str
    password: str
    id: str


@dataclass
class Client:
    """An application as its developer knows it."""

    id: str
    key: str
    key_id: str


def add_person(
    conn: Connection,
    login: str,
    *roles: Role,
    organization: str | None = None,
    person_of: str | None = None,
) -> Account:
    """An account, made by the administrator; the first one made is the administrator."""
    now = datetime.now(UTC)
    new = NewPerson(login, f"name of {login}", organization, frozenset(roles), person_of)
    if login == ADMINISTRATOR:
        added = people.add_first_administrator(conn, new, now)
    else:
        added = people.add_person(conn, caller_of_login(conn, ADMINISTRATOR, now), new, now)
    assert added.password is not None
    return Account(login, added.password, added.account.id)


def add_application(
    conn: Connection, owner: str, *, organization: str | None = None, public: bool = False, redirect: str = REDIRECT
) -> Client:
    """An application of an account or an organization, with a key unless it is a public client."""
    now = datetime.now(UTC)
    actor = caller_of_login(conn, owner, now)
    new = NewApplication(f"app of {owner}", organization, public, (redirect,))
    made = applications.add_application(conn, actor, new, now)
    if public:
        return Client(made.id, "", "")
    issued = applications.add_key(conn, actor, made.id, now)
    return Client(made.id, issued.key, issued.id)


def opened(database_url: str) -> Connection:
    """A connection of the test's own; commits at the end of its block."""
    return connect(database_url, "test")


@contextmanager
def oauth(client: Client, scope: str = "openid profile act", *, post: bool = False) -> Generator[Any]:
    """Authlib's client, which nobody here wrote."""
    method = "none" if not client.key else "client_secret_post" if post else "client_secret_basic"
    session: Any = OAuth2Session(
        client.id,
        client.key or None,
        token_endpoint_auth_method=method,
        scope=scope,
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
    )
    try:
        yield session
    finally:
        session.close()


def browse(address: str, login: str, password: str, answer: str = "allow") -> httpx.Response:
    """A person at a browser: open the page, fill in the form as it stands there, send it."""
    with httpx.Client(timeout=30, verify=plain_context()) as browser:
        page = browser.get(address)
        if page.status_code != 200:
            return page
        fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
        form = {unescape(name): unescape(value) for name, value in fields.items()}
        form |= {"login": login, "password": password, "answer": answer}
        return browser.post(f"{address.partition('?')[0]}", data=form)


def sign_in(url: str, client: Client, account: Account, scope: str = "openid profile act") -> dict[str, str]:
    """The tokens of a whole sign-in, through Authlib."""
    with oauth(client, scope) as session:
        verifier = generate_token(64)
        address, _ = session.create_authorization_url(f"{url}/v1/oidc/authorize", code_verifier=verifier)
        back = browse(address, account.login, account.password)
        assert back.status_code == 303, back.text
        return session.fetch_token(
            f"{url}/v1/oidc/token", authorization_response=back.headers["location"], code_verifier=verifier
        )


def query_of(answer: httpx.Response) -> dict[str, str]:
    """The members that a redirect carries."""
    assert answer.status_code == 303, (answer.status_code, answer.text)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
