"""What can go wrong between organizations, datasets and mandates.

HubError
└── CatalogError
    ├── OrganizationWrong       a field of an organization breaks its rule
    ├── OrganizationExists      the id or the credit code is taken
    ├── OrganizationUnknown     no organization has this id
    ├── DatasetWrong            a field of a dataset breaks its rule
    ├── DatasetExists           the id is taken
    ├── DatasetUnknown          there is none of this id, or none the caller may know of
    ├── DatasetNotYours         a batch says it is of a dataset its organization does not own
    ├── MandateUnknown          nothing to revoke
    └── RoleNeeded              the caller may not do this
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class CatalogError(HubError):
    """The catalogue cannot do what was asked."""


@dataclass(eq=False)
class OrganizationWrong(CatalogError):
    """A field of an organization breaks its rule."""

    field: str
    rule: str

    code: ClassVar[str] = "organization_wrong"
    zh: ClassVar[str] = "单位的 {field} 不合规则,应为:{rule}"
    en: ClassVar[str] = "the organization's {field} breaks its rule; it must be: {rule}"


@dataclass(eq=False)
class OrganizationExists(CatalogError):
    """The id or the credit code is taken."""

    organization: str

    code: ClassVar[str] = "organization_exists"
    zh: ClassVar[str] = "单位 {organization} 已登记,或其统一社会信用代码已被其他单位使用。"
    en: ClassVar[str] = "organization {organization} is registered already, or another one has its credit code."


@dataclass(eq=False)
class OrganizationUnknown(CatalogError):
    """No organization has this id."""

    organization: str

    code: ClassVar[str] = "organization_unknown"
    zh: ClassVar[str] = "没有单位 {organization};请先用 hub organization add 登记。"
    en: ClassVar[str] = "there is no organization {organization}; register it with hub organization add."


@dataclass(eq=False)
class DatasetWrong(CatalogError):
    """A field of a dataset breaks its rule."""

    field: str
    rule: str

    code: ClassVar[str] = "dataset_wrong"
    zh: ClassVar[str] = "数据资源的 {field} 不合规则,应为:{rule}"
    en: ClassVar[str] = "the dataset's {field} breaks its rule; it must be: {rule}"


@dataclass(eq=False)
class DatasetExists(CatalogError):
    """The id is taken."""

    dataset: str

    code: ClassVar[str] = "dataset_exists"
    zh: ClassVar[str] = "数据资源 {dataset} 已登记,且内容与此不同。"
    en: ClassVar[str] = "dataset {dataset} is registered already, with other particulars than these."


@dataclass(eq=False)
class DatasetUnknown(CatalogError):
    """There is none of this id, or none the caller may know of: the two look the same on purpose."""

    dataset: str

    code: ClassVar[str] = "dataset_unknown"
    zh: ClassVar[str] = "没有数据资源 {dataset},或它不属于您的单位。请核对编号,或向主管部门申请。"
    en: ClassVar[str] = (
        "there is no dataset {dataset}, or it is not your organization's; check its id, or ask the administrator."
    )


@dataclass(eq=False)
class DatasetNotYours(CatalogError):
    """A batch in the log says it is of a dataset that its organization or sender has no part in."""

    dataset: str
    organization: str

    code: ClassVar[str] = "dataset_not_yours"
    zh: ClassVar[str] = "数据资源 {dataset} 不属于单位 {organization},也没有登记其代为报送的委托。"
    en: ClassVar[str] = "dataset {dataset} is not {organization}'s, and no mandate to hand it in is recorded."


@dataclass(eq=False)
class MandateUnknown(CatalogError):
    """Nothing to revoke."""

    sender: str
    dataset: str

    code: ClassVar[str] = "mandate_unknown"
    zh: ClassVar[str] = "没有 {sender} 代报 {dataset} 的有效委托。"
    en: ClassVar[str] = "{sender} holds no mandate for {dataset}."


@dataclass(eq=False)
class RoleNeeded(CatalogError):
    """The caller may not do this."""

    roles: str

    code: ClassVar[str] = "role_needed"
    zh: ClassVar[str] = "此操作需要角色:{roles}。您的账户没有该角色;请联系主管部门。"
    en: ClassVar[str] = "this takes the role {roles}, which your account does not have; ask the administrator."
