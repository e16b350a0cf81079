"""What a shapefile says of itself: which files it consists of, whether they are whole, how its text is encoded.

GDAL reads a shapefile cut short as features without geometry, or fewer of them, and text of unknown encoding as
Latin-1. The headers tell better.
"""

import codecs
import struct
from pathlib import Path

from connectors.sources.errors import ItemTruncated, ItemUnreadable
from connectors.sources.spatial_errors import CompanionMissing

# All that ArcGIS, QGIS and GDAL write beside a .shp.
_EXTENSIONS = (
    *("shp", "shx", "dbf", "prj", "cpg", "qpj", "qmd", "qix", "sbn", "sbx", "fbn", "fbx", "ain", "aih", "atx"),
    *("ixs", "mxs", "idm", "ind", "xml", "shp.xml", "cst", "lyr"),
)
_SHP_MAGIC = b"\x00\x00\x27\x0a"
_SHX_HEADER_BYTES, _SHX_ENTRY_BYTES = 100, 8
_LANGUAGE_DRIVERS = {0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5hkscs", 0x78: "big5hkscs"}  # byte 29 of a .dbf
# GB 18030 holds GBK and GB 2312, and files called so often hold a character more than those.
_CODE_PAGES = {
    **dict.fromkeys(("936", "gbk", "gb2312", "cp936", "gb18030", "54936", "936gbk"), "gb18030"),
    **dict.fromkeys(("65001", "utf8"), "utf-8"),
    **dict.fromkeys(("950", "big5"), "big5hkscs"),
    **dict.fromkeys(("88591", "iso88591", "latin1"), "iso-8859-1"),
}


def is_part(name: str, other: str) -> bool:
    """Whether the file of the second name is a part of the shapefile of the first."""
    stem = name[:-4]
    return other.startswith(f"{stem}.") and other[len(stem) + 1 :].lower() in _EXTENSIONS


def part(file: Path, extension: str) -> Path | None:
    """The part of a shapefile with that extension, in small or capital letters; None where there is none."""
    names = file.with_suffix(f".{extension}"), file.with_suffix(f".{extension.upper()}")
    return next((one for one in names if one.exists()), None)


def refuse_damaged(file: Path) -> None:
    """Look at the headers of a shapefile's parts.

    Raises:
        CompanionMissing: no .shx or .dbf.
        ItemTruncated: a part is shorter than it says.
        ItemUnreadable: it is no shapefile, or its parts do not belong together.
    """
    parts = {extension: part(file, extension) for extension in ("shx", "dbf")}
    shx, dbf = parts["shx"], parts["dbf"]
    if shx is None or dbf is None:
        raise CompanionMissing(file.name, ", ".join(f".{name}" for name, found in parts.items() if found is None))
    shapes = _whole_shapes(file, file), _whole_shapes(file, shx)
    features = (shapes[1] - _SHX_HEADER_BYTES) // _SHX_ENTRY_BYTES
    records = _whole_table(file, dbf)
    if features != records:
        raise ItemUnreadable(
            file.name,
            f".shx 有 {features} 个要素,.dbf 有 {records} 行,两者不属于同一图层",
            f"its .shx has {features} features and its .dbf {records} rows; they are not of one layer",
        )


def _whole_shapes(file: Path, one: Path) -> int:
    """The length a .shp or .shx names, in bytes."""
    header = _header(one, 28)
    if header[:4] != _SHP_MAGIC:
        raise ItemUnreadable(file.name, f"{one.name} 不是 shapefile", f"{one.name} is no part of a shapefile")
    length = struct.unpack(">I", header[24:28])[0] * 2  # counted in words of 16 bits
    if len(header) < 28 or one.stat().st_size < length:  # noqa: PLR2004 - where the length ends
        raise ItemTruncated(file.name, one.name)
    return length


def _whole_table(file: Path, dbf: Path) -> int:
    """The number of rows a .dbf names."""
    header = _header(dbf, 12)
    records, header_bytes, record_bytes = struct.unpack("<IHH", header[4:12])
    if dbf.stat().st_size < header_bytes + records * record_bytes:
        raise ItemTruncated(file.name, dbf.name)
    return records


def _header(one: Path, size: int) -> bytes:
    with one.open("rb") as stream:
        return stream.read(size).ljust(size, b"\0")


def declared_encoding(file: Path, option: str | None) -> str | None:
    """How the text of the .dbf is encoded, as a Python codec: by .cpg, else the option, else the table's own mark.

    Raises:
        ItemUnreadable: a name of an encoding that nobody knows.
    """
    cpg, dbf = part(file, "cpg"), part(file, "dbf")
    named = cpg.read_text(encoding="ascii", errors="replace").strip() if cpg is not None else ""
    if named or option:
        return codec(file.name, named or option or "")
    return _LANGUAGE_DRIVERS.get(_header(dbf, 30)[29]) if dbf is not None else None


def codec(item: str, name: str) -> str:
    """The Python codec of an encoding named as .cpg files and people name them."""
    short = name.lower().replace("ansi", "").replace("oem", "").translate({ord(sign): None for sign in " -_."})
    try:
        return _CODE_PAGES.get(short) or codecs.lookup(f"cp{short}" if short.isdigit() else name).name
    except LookupError as problem:
        raise ItemUnreadable(
            item,
            f"文本编码 {name[:40]} 无法识别(.cpg 或选项 encoding)",
            f"no encoding is called {name[:40]} (.cpg, encoding)",
        ) from problem
