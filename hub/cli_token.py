"""hub token: an access token of one's own, for programs that ask the hub's API."""

from dataclasses import asdict
from typing import Annotated

import typer

from hub.errors import SettingWrong
from hub.identity.device_sign_in import DeviceSignIn, Shown
from hub.terminal import AsJson, language, settings_of, show_json, tell

CLIENT = "hub-admin-cli"


def token_command(
    client: Annotated[str, typer.Option(help="The command line's client at the issuer.")] = CLIENT,
    as_json: AsJson = False,
) -> None:
    """Sign in at HUB_OIDC_ISSUER in a browser; prints an access token, for an authorization: Bearer header."""
    issuer = settings_of().oidc_issuer
    if issuer is None:
        problem = "without it there is no issuer that offers this; use an application's key (hub application key add)"
        raise SettingWrong(setting="HUB_OIDC_ISSUER", problem=problem)
    signed_in = DeviceSignIn(issuer, client).sign_in(_show)
    if as_json:
        show_json(asdict(signed_in))
    else:
        typer.echo(signed_in.token)


def _show(shown: Shown) -> None:
    """On standard error: standard output is the token's alone."""
    address = shown.complete or shown.address
    zh = f"请在浏览器打开 {address} 登录,并核对代码 {shown.code}。"
    tell(zh if language() == "zh" else f"open {address} in a browser, sign in, and compare the code: {shown.code}")
