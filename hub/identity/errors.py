"""What can go wrong between the hub and who asks.

HubError
└── IdentityError
    ├── NotAuthenticated        no token, or none the hub takes
    ├── OrganizationNeeded      what is asked is for organizations, and the caller is bound to none
    ├── TokensTaken             an organization holds as many live tokens as it may
    ├── TokenUnknown            nothing to revoke
    ├── KeysTaken               an application holds as many live keys as it may
    ├── KeyUnknown              nothing to revoke
    ├── PersonUnknown           there is no such account, or it is suspended
    ├── PersonWrong             an account breaks a rule of its form
    ├── LoginTaken              someone has this login
    ├── AdministratorThere      the first administrator is there already
    ├── ApplicationUnknown      there is none of this id, or none of the caller's
    ├── ApplicationWrong        an application breaks a rule of its form
    ├── OtherPersonNeeded       nobody may do this for himself
    ├── PasswordWrong           the password given is not the account's
    ├── SignInRefused           login and password are not of one account that may sign in
    ├── SignInsTooMany          too many failures
    ├── AuthorizationRefused    client and redirect URI do not belong together
    ├── TokenRefused            the token endpoint's refusal, in the words of RFC 6749
    └── IssuerUnreachable       the issuer's keys cannot be had now
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class IdentityError(HubError):
    """Who asks, and with what."""


@dataclass(eq=False)
class NotAuthenticated(IdentityError):
    """No token, or none the hub takes; which of the two is not said."""

    code: ClassVar[str] = "not_authenticated"
    zh: ClassVar[str] = (
        "需要有效的凭证:Authorization: Bearer 之后是应用密钥 hub_… 或访问令牌。凭证可能缺失、有误、过期或已撤销;"
        "请向主管部门申领令牌或重新登录。"
    )
    en: ClassVar[str] = (
        "a valid credential is needed: Authorization: Bearer with an application key hub_… or an access token; yours "
        "is missing, mistyped, expired or revoked. Ask the administrator for one, or sign in again."
    )


@dataclass(eq=False)
class OrganizationNeeded(IdentityError):
    """What is asked is for organizations, and the caller is bound to none."""

    code: ClassVar[str] = "organization_needed"
    zh: ClassVar[str] = "此操作只能以单位身份进行,而您的凭证不属于任何单位;请使用单位的令牌或单位人员账户。"
    en: ClassVar[str] = (
        "this is for organizations, and your credential belongs to none; use an organization's token, or an account "
        "that is bound to one."
    )


@dataclass(eq=False)
class TokensTaken(IdentityError):
    """An organization holds as many live tokens as it may."""

    organization: str
    tokens_max: int

    code: ClassVar[str] = "tokens_taken"
    zh: ClassVar[str] = (
        "单位 {organization} 已有 {tokens_max} 个有效令牌;请先用 hub organization token revoke 撤销一个。"
    )
    en: ClassVar[str] = (
        "{organization} has {tokens_max} live tokens already; revoke one first: hub organization token revoke."
    )


@dataclass(eq=False)
class TokenUnknown(IdentityError):
    """Nothing to revoke."""

    organization: str
    token: str

    code: ClassVar[str] = "token_unknown"
    zh: ClassVar[str] = "单位 {organization} 没有编号为 {token} 的有效令牌;请用 hub organization token list 查看。"
    en: ClassVar[str] = "{organization} has no live token {token}; see hub organization token list."


@dataclass(eq=False)
class PersonUnknown(IdentityError):
    """There is no such account, or it is suspended."""

    code: ClassVar[str] = "person_unknown"
    zh: ClassVar[str] = "没有这个人员账户,或已被停用;请用 hub person list 或 GET /v1/people 查看。"
    en: ClassVar[str] = "there is no such account, or it is suspended; see hub person list or GET /v1/people."


@dataclass(eq=False)
class PersonWrong(IdentityError):
    """An account breaks a rule of its form."""

    field: str
    rule: str

    code: ClassVar[str] = "person_wrong"
    zh: ClassVar[str] = "人员账户的 {field} 不合规则:{rule}。"
    en: ClassVar[str] = "the account's {field} breaks its rule: {rule}."


@dataclass(eq=False)
class LoginTaken(IdentityError):
    """Someone has this login."""

    code: ClassVar[str] = "login_taken"
    zh: ClassVar[str] = "该登录名已被使用;请换一个。"
    en: ClassVar[str] = "someone has this login; choose another."


@dataclass(eq=False)
class AdministratorThere(IdentityError):
    """The first administrator is there already, and adds the others."""

    code: ClassVar[str] = "administrator_there"
    zh: ClassVar[str] = "已有管理员;请用 --as 以管理员账户执行。"
    en: ClassVar[str] = "there is an administrator already; act as one with --as."


@dataclass(eq=False)
class KeysTaken(IdentityError):
    """An application holds as many live keys as it may."""

    keys_max: int

    code: ClassVar[str] = "keys_taken"
    zh: ClassVar[str] = "该应用已有 {keys_max} 个有效密钥;请先撤销一个。"
    en: ClassVar[str] = "the application has {keys_max} live keys already; revoke one first."


@dataclass(eq=False)
class KeyUnknown(IdentityError):
    """Nothing to revoke."""

    key: str

    code: ClassVar[str] = "key_unknown"
    zh: ClassVar[str] = "该应用没有编号为 {key} 的有效密钥;请用 hub application key list 查看。"
    en: ClassVar[str] = "the application has no live key {key}; see hub application key list."


@dataclass(eq=False)
class ApplicationUnknown(IdentityError):
    """There is none of this id, or none of the caller's; the two look the same."""

    code: ClassVar[str] = "application_unknown"
    zh: ClassVar[str] = "没有这个应用,或它不属于您;请用 hub application list 或 GET /v1/applications 查看。"
    en: ClassVar[str] = (
        "there is no such application, or it is none of yours; see hub application list or GET /v1/applications."
    )


@dataclass(eq=False)
class ApplicationWrong(IdentityError):
    """An application breaks a rule of its form."""

    field: str
    rule: str

    code: ClassVar[str] = "application_wrong"
    zh: ClassVar[str] = "应用的 {field} 不合规则:{rule}。"
    en: ClassVar[str] = "the application's {field} breaks its rule: {rule}."


@dataclass(eq=False)
class OtherPersonNeeded(IdentityError):
    """Nobody may do this for himself, through another account of his neither."""

    act: str

    code: ClassVar[str] = "other_person_needed"
    zh: ClassVar[str] = "此操作({act})不能由本人为自己办理,同一自然人的其他账户也不行;请由另一人办理。"
    en: ClassVar[str] = (
        "nobody may do this ({act}) for himself, nor through another account of the same person; ask someone else."
    )


@dataclass(eq=False)
class PasswordWrong(IdentityError):
    """The password given is not the account's."""

    code: ClassVar[str] = "password_wrong"
    zh: ClassVar[str] = "原密码不正确。"
    en: ClassVar[str] = "the present password is not right."


@dataclass(eq=False)
class SignInRefused(IdentityError):
    """Login and password are not of one account that may sign in; what is wrong is not said."""

    code: ClassVar[str] = "sign_in_refused"
    zh: ClassVar[str] = "登录名或密码不正确。"
    en: ClassVar[str] = "login or password is not right."


@dataclass(eq=False)
class SignInsTooMany(IdentityError):
    """Too many failures of this login or from this address."""

    retry_after_seconds: float

    code: ClassVar[str] = "sign_ins_too_many"
    zh: ClassVar[str] = "登录失败次数过多;请在 {retry_after_seconds:.0f} 秒后再试。"
    en: ClassVar[str] = "too many failed sign-ins; try again in {retry_after_seconds:.0f} s."


@dataclass(eq=False)
class AuthorizationRefused(IdentityError):
    """Client and redirect URI do not belong together, so nobody is sent anywhere."""

    code: ClassVar[str] = "authorization_refused"
    zh: ClassVar[str] = (
        "该登录请求无效:应用不存在或已停用,或回跳地址(redirect_uri)与登记的不完全一致。请回到应用重试,或告知其开发者。"
    )
    en: ClassVar[str] = (
        "this sign-in request is not valid: there is no such application, it is suspended, or its redirect_uri is not "
        "exactly one that is registered. Go back to the application, or tell its developer."
    )


@dataclass(eq=False)
class TokenRefused(IdentityError):
    """The token endpoint's refusal, in the words of RFC 6749 §5.2."""

    error: str
    reason: str

    code: ClassVar[str] = "token_refused"
    zh: ClassVar[str] = "未签发令牌({error}):{reason}。"
    en: ClassVar[str] = "no token was issued ({error}): {reason}."


@dataclass(eq=False)
class IssuerUnreachable(IdentityError):
    """The issuer's keys cannot be had now; nobody is let in unverified."""

    retry_after_seconds: float = 10

    code: ClassVar[str] = "issuer_unreachable"
    zh: ClassVar[str] = "暂时无法取得身份签发方的公钥,无法核验令牌;请稍后重试。"
    en: ClassVar[str] = "the issuer's keys cannot be had now, so no token can be verified; try again shortly."


@dataclass(eq=False)
class KeycloakFailed(IdentityError):
    """Keycloak did not do what the hub asked it for."""

    asked: str
    problem: str

    code: ClassVar[str] = "keycloak_failed"
    zh: ClassVar[str] = "Keycloak 未能完成“{asked}”:{problem}。请检查相关 HUB_KEYCLOAK_ 设置与 HUB_OIDC_ISSUER。"
    en: ClassVar[str] = (
        "Keycloak did not {asked}: {problem}; look at HUB_OIDC_ISSUER, HUB_KEYCLOAK_CLIENT and its secret's file, "
        "then try again."
    )


@dataclass(eq=False)
class DeviceSignInAbsent(IdentityError):
    """The issuer offers no sign-in from a command line."""

    issuer: str

    code: ClassVar[str] = "device_sign_in_absent"
    zh: ClassVar[str] = (
        "签发方 {issuer} 不支持从命令行登录(设备授权,RFC 8628);请改用应用密钥,见 hub application key add。"
    )
    en: ClassVar[str] = (
        "the issuer {issuer} offers no sign-in from a command line (device authorization, RFC 8628); use an "
        "application's key, see hub application key add."
    )


@dataclass(eq=False)
class DeviceSignInFailed(IdentityError):
    """A sign-in from a command line came to nothing."""

    problem: str

    code: ClassVar[str] = "device_sign_in_failed"
    zh: ClassVar[str] = "登录未完成({problem});请重新运行命令,在浏览器中登录并同意;若仍失败,请核对 --client。"
    en: ClassVar[str] = (
        "the sign-in was not completed ({problem}); run the command again, sign in in the browser and agree; if it "
        "fails again, look at --client."
    )
