"""Search as people type it: what is indexed of a text, and what a query asks for. Pure.

Chinese is written without spaces, so a text is known by its characters and pairs of neighbours (江岸区 by 江, 岸, 区,
江岸, 岸区), Latin words and numbers by their beginnings and runs of three. A store finds the texts that have all grams
of a query in an inverted index and looks at those alone for the query itself. That finds 江岸区 by 江岸, which
PostgreSQL's own trigrams cannot: no run of three fits in two characters.

What people type differs from what is written, so both sides are brought to one form: NFKC (full width to half), one
case, traditional to simplified characters, punctuation and spaces alike. Where a query finds nothing it is tried again
with one character wrong, missing or too many, and with a word cut in two (江岸人口 finds 江岸区常住人口).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final, Protocol, cast

QUERY_CHARACTERS_MAX: Final = 100
TOKENS_MAX: Final = 8
VARIANTS_MAX: Final = 48
VARIED_CHARACTERS_MIN: Final = 3  # of two characters one wrong leaves nothing to go by
VARIED_CHARACTERS_MAX: Final = 24
PIECE_CHARACTERS_MIN: Final = 2
LATIN_GRAM: Final = 3
GUIDE, LATIN_GUIDE = 3, 5  # characters known for sure that are enough to go by without looking at the text
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_RUNS: Final = re.compile(r"[0-9a-zÀ-ɏ]+|[^\s0-9a-zÀ-ɏ]+")
_LATIN: Final = re.compile(r"[0-9a-zÀ-ɏ]+")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to read a query.

    Args:
        grams: a text must have all of them. That a text has 常住, 住人 and 人口 and yet not 常住人口 is so rare that it
            is let pass: looking would cost more than everything else.
        patterns: what its words look like (SQL's LIKE), to be held against titles.
        unsettled: patterns with a place for any character and little beside it, which grams do not settle.
    """

    grams: tuple[str, ...]
    patterns: tuple[str, ...]
    unsettled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for.

    Args:
        key: the query without spaces, to be held against titles.
        strict: the query as it stands.
        relaxed: what to try where that finds nothing.
    """

    key: str
    strict: Variant
    relaxed: tuple[Variant, ...]


def normalised(text: str) -> str:
    """One form for what is written and what is typed: words and single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _PUNCTUATION.sub(" ", _simplified().convert(folded)).strip()


def key_of(text: str) -> str:
    """The normalised form without spaces, by which titles are compared."""
    return normalised(text).replace(" ", "")


def grams(text: str) -> frozenset[str]:
    """What a normalised text is found by."""
    return frozenset(gram for run in _RUNS.findall(text) for gram in _grams_of_run(run))


def read_query(text: str) -> Query | None:
    """The query of what someone typed, at most ``QUERY_CHARACTERS_MAX`` of it; None where nothing is asked for."""
    runs = _RUNS.findall(normalised(text[:QUERY_CHARACTERS_MAX]))[:TOKENS_MAX]
    if not runs:
        return None
    strict = _variant(runs)
    relaxed = list(dict.fromkeys(_relaxed(runs)))[:VARIANTS_MAX]
    # A reading with no gram would look at every text.
    return Query("".join(runs), strict, tuple(one for one in relaxed if one.grams and one != strict))


def _grams_of_run(run: str) -> Iterator[str]:
    if _LATIN.fullmatch(run):
        yield run[:1]
        yield run[:2]
        yield from (run[at : at + LATIN_GRAM] for at in range(len(run) - LATIN_GRAM + 1))
    else:
        yield from run
        yield from (one + following for one, following in pairwise(run))


def _needed(piece: str) -> Iterator[str]:
    """The fewest grams that a text which contains the piece has: for Latin not its beginning, it may stand inside."""
    if not _LATIN.fullmatch(piece):
        yield from _grams_of_run(piece) if len(piece) == 1 else (one + next_ for one, next_ in pairwise(piece))
    elif len(piece) < LATIN_GRAM:
        yield piece  # one or two letters are looked for where a word begins
    else:
        yield from (piece[at : at + LATIN_GRAM] for at in range(len(piece) - LATIN_GRAM + 1))


def _variant(pieces: Sequence[str], pattern: str | None = None) -> Variant:
    needed = tuple(dict.fromkeys(gram for piece in pieces for gram in _needed(piece)))
    if pattern is not None:
        guided = sum(len(piece) / (LATIN_GUIDE if _LATIN.fullmatch(piece) else GUIDE) for piece in pieces)
        return Variant(needed, (pattern,), () if guided >= 1 else (pattern,))
    return Variant(needed, tuple(f"%{piece}%" for piece in pieces), ())


def _relaxed(runs: Sequence[str]) -> Iterator[Variant]:
    """One word varied, the others as they stand."""
    for at, run in enumerate(runs):
        if VARIED_CHARACTERS_MIN <= len(run) <= VARIED_CHARACTERS_MAX:
            others = _variant([*runs[:at], *runs[at + 1 :]])
            for varied in (*_cut(run), *_mistyped(run)):
                yield Variant(
                    tuple(dict.fromkeys((*others.grams, *varied.grams))),
                    (*others.patterns, *varied.patterns),
                    (*others.unsettled, *varied.unsettled),
                )


def _cut(run: str) -> Iterator[Variant]:
    """Two words written as one; only Chinese has no space to say so."""
    if not _LATIN.fullmatch(run):
        for at in range(PIECE_CHARACTERS_MIN, len(run) - PIECE_CHARACTERS_MIN + 1):
            yield _variant([run[:at], run[at:]])


def _mistyped(run: str) -> Iterator[Variant]:
    """One character wrong, too many, or missing. Short Latin pieces are no guide: they are left to the pattern."""
    for at in range(len(run)):
        before, after = run[:at], run[at + 1 :]
        yield _variant(_guides(before, after), f"%{before}_{after}%")
        yield _variant(_guides(before + after), f"%{before}{after}%")
    for at in range(1, len(run)):
        yield _variant(_guides(run[:at], run[at:]), f"%{run[:at]}_{run[at:]}%")


def _guides(*pieces: str) -> list[str]:
    return [piece for piece in pieces if piece and not (_LATIN.fullmatch(piece) and len(piece) < LATIN_GRAM)]


class _Converter(Protocol):
    def convert(self, text: str) -> str: ...


@cache
def _simplified() -> _Converter:
    import opencc  # loads its dictionaries when it is made

    return cast("_Converter", opencc.OpenCC("t2s"))
