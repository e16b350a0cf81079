"""What can go wrong with a layer of spatial records.

ItemError
├── LayerUnclear, LayerUnknown           which layer of several
├── CompanionMissing                     a shapefile without its .dbf or .shx
├── CoordinateSystemMissing              nothing says in which system coordinates are
├── CoordinateSystemUnusable             no known way leads from it to EPSG:4490
└── GeometryUnsupported                  curves and surfaces in space
"""

from dataclasses import dataclass
from typing import ClassVar

from connectors.sources.errors import ItemError


@dataclass(eq=False)
class LayerUnclear(ItemError):
    """Several layers, and none is named."""

    layers: str

    code: ClassVar[str] = "layer_unclear"
    zh: ClassVar[str] = "{item} 含有多个图层({layers})。请用选项 layer 指明其中之一。"
    en: ClassVar[str] = "{item} holds several layers ({layers}); name one with the option layer."


@dataclass(eq=False)
class LayerUnknown(ItemError):
    """The layer that is named is not there."""

    layer: str
    layers: str

    code: ClassVar[str] = "layer_unknown"
    zh: ClassVar[str] = "{item} 中没有图层 {layer},现有:{layers}。"
    en: ClassVar[str] = "{item} has no layer {layer}; it has: {layers}."


@dataclass(eq=False)
class CompanionMissing(ItemError):
    """A file that belongs to it is not beside it."""

    missing: str

    code: ClassVar[str] = "companion_missing"
    zh: ClassVar[str] = "{item} 缺少同名的 {missing} 文件。请把该图层的全部文件一并放入。"
    en: ClassVar[str] = "{item} lacks the files {missing} of the same name; put all files of the layer there together."


@dataclass(eq=False)
class CoordinateSystemMissing(ItemError):
    """Nothing says in which system coordinates are; the connector does not guess."""

    code: ClassVar[str] = "coordinate_system_missing"
    zh: ClassVar[str] = "{item} 未声明坐标系,枢纽不作猜测。请在文件中声明(如 .prj),国家大地坐标系为 EPSG:4490。"
    en: ClassVar[str] = (
        "{item} does not say in which coordinate system it is, and nothing is guessed; "
        "declare it in the file (.prj for instance); CGCS2000 is EPSG:4490."
    )


@dataclass(eq=False)
class CoordinateSystemUnusable(ItemError):
    """No known way leads from the declared system to EPSG:4490."""

    system: str

    code: ClassVar[str] = "coordinate_system_unusable"
    zh: ClassVar[str] = "{item} 的坐标系({system})没有已知精度的方法转换到 EPSG:4490。请由测绘部门转换后再提交。"
    en: ClassVar[str] = (
        "no transformation of known accuracy leads from the coordinate system of {item} ({system}) to EPSG:4490; "
        "have it transformed with official parameters first."
    )


@dataclass(eq=False)
class GeometryUnsupported(ItemError):
    """A type of geometry that the hub has no use for."""

    feature: int
    geometry_type: str

    code: ClassVar[str] = "geometry_unsupported"
    zh: ClassVar[str] = "{item} 第 {feature} 个要素的几何类型为 {geometry_type},不受支持。请先转换为点、线或面。"
    en: ClassVar[str] = (
        "feature {feature} of {item} is a {geometry_type}, which is not supported; "
        "convert it to points, lines or polygons first."
    )
