"""The sign-in page of the built-in issuer: one plain form, no script, the same with a keyboard or a screen reader."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse

from hub.identity.embedded_issuer_request import AuthorizationRequest
from schemas.errors import Language

_STYLE: Final = """
body{font:1rem/1.6 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
label{display:block;margin-top:1rem}
input:not([type=hidden]){font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #595959}
button{font:inherit;margin-top:1.5rem;margin-right:.5rem;padding:.5rem 1.25rem;border:1px solid #0b4a8f;cursor:pointer}
button[value=allow]{background:#0b4a8f;color:#fff}
button[value=deny]{background:#fff;color:#0b4a8f}
:focus-visible{outline:3px solid #d97706;outline-offset:2px}
[role=alert]{border-left:4px solid #b00020;padding:.25rem .75rem;color:#8a0018}
"""

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "title": "登录枢纽",
        "asks": "应用“{application}”请求以您的身份访问枢纽。",
        "goes": "同意后将回到 {target}。",
        "may": "该应用将可以:",
        "openid": "知道您的账户编号",
        "profile": "知道您的登录名、姓名和所属单位",
        "act": "行使您账户的角色(如审批、授权)",
        "read": "按您的授权等级和授权读取数据",
        "login": "登录名",
        "password": "密码",
        "allow": "登录并同意",
        "deny": "拒绝",
        "stop": "无法登录",
        "out": "已退出登录。",
    },
    "en": {
        "title": "Sign in to the hub",
        "asks": "The application “{application}” asks to use the hub in your name.",
        "goes": "When you agree you go back to {target}.",
        "may": "It will be able to:",
        "openid": "know your account's id",
        "profile": "know your login, name and organization",
        "act": "act with your account's roles (such as approving and granting)",
        "read": "read data by your tier and grants",
        "login": "Login",
        "password": "Password",
        "allow": "Sign in and agree",
        "deny": "Decline",
        "stop": "You cannot be signed in",
        "out": "You are signed out.",
    },
}


def sign_in_page(
    request: AuthorizationRequest,
    given: Mapping[str, str],
    language: Language,
    *,
    problem: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The form, with the request's parameters in it and what was wrong with the last try."""
    words = _WORDS[language]
    parts = urlsplit(request.redirect_uri)
    target = f"{parts.scheme}://{parts.netloc}"
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in given.items()
    )
    may = "".join(f"<li>{words[one]}</li>" for one in ("read", *request.scope))
    alert = f'<p role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    described = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    body = f"""<h1>{words["title"]}</h1>
<p>{words["asks"].format(application=escape(request.application_name))}</p>
<p>{words["may"]}</p><ul>{may}</ul>
<p>{words["goes"].format(target=escape(target))}</p>
{alert}<form method="post" action="authorize">{hidden}
<label for="login">{words["login"]}</label>
<input type="text" id="login" name="login" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="64" required autofocus{described}>
<label for="password">{words["password"]}</label>
<input type="password" id="password" name="password" autocomplete="current-password"
 maxlength="128" required{described}>
<button type="submit" name="answer" value="allow">{words["allow"]}</button>
<button type="submit" name="answer" value="deny" formnovalidate>{words["deny"]}</button>
</form>"""
    # Browsers hold the redirect that follows a form to form-action too.
    return _page(words["title"], body, language, form_action=f"'self' {target}", status=status, headers=headers)


def stopped_page(problem: str, language: Language, status: int) -> HTMLResponse:
    """Why nobody is signed in and nobody is sent anywhere."""
    title = _WORDS[language]["stop"]
    body = f'<h1>{title}</h1><p role="alert">{escape(problem)}</p>'
    return _page(title, body, language, form_action="'none'", status=status)


def signed_out_page(language: Language) -> HTMLResponse:
    """That a sign-in has ended."""
    words = _WORDS[language]
    return _page(words["title"], f"<h1>{words['out']}</h1>", language, form_action="'none'")


def _page(
    title: str,
    body: str,
    language: Language,
    *,
    form_action: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    text = (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    style = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
    return HTMLResponse(
        text,
        status_code=status,
        headers={
            "content-security-policy": policy,
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
            "content-language": language,
            "vary": "accept-language",
            **(headers or {}),
        },
    )
