"""Who takes part in the demo: seven organizations and their eleven datasets."""

from dataclasses import dataclass

REGION = "420000"


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """``wave``: 0 goes first; 1 refers to records of wave 0, and would wait as pending until they are there."""

    name: str
    organization: str
    base: str
    title_zh: str
    title_en: str
    wave: int = 0

    @property
    def id(self) -> str:
        return f"{REGION}.{self.name}"


ORGANIZATIONS = (
    Organization("gong-an", "公安厅(演示)", "Public security (demo)"),
    Organization("ren-she", "人力资源和社会保障厅(演示)", "Human resources and social security (demo)"),
    Organization("min-zheng", "民政厅(演示)", "Civil affairs (demo)"),
    Organization("shi-chang", "市场监督管理局(演示)", "Market supervision (demo)"),
    Organization("shui-wu", "税务局(演示)", "Taxation (demo)"),
    Organization("jiao-yu", "教育厅(演示)", "Education (demo)"),
    Organization("tong-ji", "统计局(演示)", "Statistics (demo)"),
)

DATASETS = (
    Dataset("resident", "gong-an", "population", "常住人口", "Residents"),
    Dataset("registration", "shi-chang", "legal_person", "市场主体登记", "Registered legal persons"),
    Dataset("institution", "jiao-yu", "legal_person", "高等学校", "Universities and colleges"),
    Dataset("division", "min-zheng", "geospatial", "行政区划", "Divisions"),
    Dataset("place", "min-zheng", "geospatial", "地名点", "Places"),
    Dataset("outline", "min-zheng", "geospatial", "省域轮廓(示意)", "Outline of the province"),
    Dataset("indicator", "tong-ji", "macro_economy", "统计指标", "Indicators"),
    Dataset("observation", "tong-ji", "macro_economy", "统计数据", "Observations"),
    Dataset("social_insurance", "ren-she", "population", "社会保险参保", "Social insurances", wave=1),
    Dataset("marriage", "min-zheng", "population", "婚姻登记", "Marriages", wave=1),
    Dataset("tax_registration", "shui-wu", "legal_person", "税务登记", "Tax registrations", wave=1),
)
