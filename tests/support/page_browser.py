"""A person at a browser, as far as forms go: opens a page, fills in the form that stands there, is sent on."""

import html
import re
from collections.abc import Mapping
from typing import Self

import httpx
from running_door import plain_context

REDIRECTS_MAX = 5
NOTHING: Mapping[str, str] = {}


class Browser:
    """One browser with its cookies; ``page`` is what it shows."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=30, verify=plain_context(), trust_env=False)
        self.page = httpx.Response(204)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def open(self, address: str) -> httpx.Response:
        """The page at an address, after the redirects within its site; one that leads elsewhere is the answer."""
        return self._followed(self._client.get(address, headers=self._cookies()))

    def submit(self, fields: Mapping[str, str] = NOTHING) -> httpx.Response:
        """Send the page's form with these fields filled in, and go on as ``open`` does."""
        form = re.search(r'<form[^>]*action="([^"]*)"[^>]*>', self.page.text)
        assert form is not None, re.sub(r"<[^>]+>|\s+", " ", self.page.text)[:1500]
        hidden = re.findall(r'<input type="hidden" (?:id="[^"]*" )?name="([^"]*)" value="([^"]*)"', self.page.text)
        filled = {html.unescape(name): html.unescape(value) for name, value in hidden} | dict(fields)
        action = str(self.page.url.join(html.unescape(form[1])))
        return self._followed(self._client.post(action, data=filled, headers=self._cookies()))

    def sign_in(self, fields: Mapping[str, str]) -> httpx.Response:
        """Fill in a sign-in page; Keycloak with organizations asks for the login on a page of its own first."""
        if 'name="password"' not in self.page.text:
            self.submit({name: value for name, value in fields.items() if name != "password"})
        return self.submit(fields) if self.has_form() else self.page

    def has_form(self) -> bool:
        """Whether there is something to fill in."""
        return self.page.status_code == 200 and "<form " in self.page.text

    def _followed(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(REDIRECTS_MAX):
            to = answer.url.join(answer.headers.get("location", ""))
            if not answer.is_redirect or (to.scheme, to.netloc) != (answer.url.scheme, answer.url.netloc):
                break
            answer = self._client.get(to, headers=self._cookies())
        self.page = answer
        return answer

    def _cookies(self) -> dict[str, str]:
        """As a browser does: on the machine itself cookies are safe without TLS, which this client does not know."""
        given = "; ".join(f"{one.name}={one.value}" for one in self._client.cookies.jar)
        return {"cookie": given} if given else {}
