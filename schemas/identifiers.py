"""Check digits: citizen ID (GB 11643-1999), credit code (GB 32100-2015) and its inner organisation code (GB 11714).

Each rule stands once, over a matrix of bytes: one row an identifier, one column a character. The functions for a
single text go through the same matrices, so that there is one reading of each standard.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

LENGTH: Final = 18
_ID_WEIGHTS: Final = np.asarray([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_ID_CHECKS: Final = np.frombuffer(b"10X98765432", np.uint8)
_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I, O, S, V, Z
_CREDIT_WEIGHTS: Final = np.asarray([1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])
_ORGANISATION_WEIGHTS: Final = np.asarray([3, 7, 9, 10, 5, 8, 4, 2])
_ORGANISATION_CHECKS: Final = np.frombuffer(b"0X987654321", np.uint8)  # by sum mod 11; 11 - 0 is written 0, 10 is X
_NONE: Final = 255


def _ranks(alphabet: str) -> Bytes:
    table = np.full(256, _NONE, np.uint8)
    for rank, character in enumerate(alphabet):
        table[ord(character)] = rank
    return table


_CREDIT_RANKS: Final = _ranks(_CREDIT_ALPHABET)
_DIGITS_AND_LETTERS: Final = _ranks("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")  # GB 11714: A = 10 … Z = 35
_ZERO: Final = ord("0")


def _matrix(texts: Sequence[str]) -> Bytes:
    return np.frombuffer("".join(texts).encode("ascii"), np.uint8).reshape(len(texts), LENGTH)


# Citizen ID ----------------------------------------------------------------------------------------------------------


def citizen_id_form(codes: Bytes) -> Mask:
    """Which rows are 17 digits and a digit or X."""
    digits = (codes >= _ZERO) & (codes <= _ZERO + 9)
    return digits[:, :17].all(axis=1) & (digits[:, 17] | (codes[:, 17] == ord("X")))


def citizen_id_dates(codes: Bytes) -> Integers:
    """The birth date as the number yyyymmdd; rows must have the form."""
    digits = codes[:, 6:14].astype(np.int64) - _ZERO
    return digits @ (10 ** np.arange(7, -1, -1))


def dates_exist(numbers: Integers) -> Mask:
    """Which yyyymmdd numbers are days of the Gregorian calendar."""
    year, month, day = numbers // 10_000, numbers // 100 % 100, numbers % 100
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = np.asarray([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    in_year = (month >= 1) & (month < len(days))
    longest = days[np.where(in_year, month, 0)] + ((month == 2) & leap)  # noqa: PLR2004 - February
    return in_year & (day >= 1) & (day <= longest) & (year >= 1)


def citizen_id_checks(codes: Bytes) -> Mask:
    """Which rows have the right check character (ISO 7064 MOD 11-2); rows must have the form."""
    total = (codes[:, :17].astype(np.int64) - _ZERO) @ _ID_WEIGHTS
    return _ID_CHECKS[total % 11] == codes[:, 17]


def citizen_id_is_male(codes: Bytes) -> Mask:
    """Whether digit 17 is odd."""
    return (codes[:, 16] & 1).astype(np.bool_)


def citizen_id_problem(text: str) -> str | None:
    """The reason code of what is wrong with one citizen ID, None where nothing is."""
    if len(text) != LENGTH or not text.isascii():
        return "citizen_id_form"
    codes = _matrix([text])
    if not citizen_id_form(codes)[0]:
        return "citizen_id_form"
    if not dates_exist(citizen_id_dates(codes))[0]:
        return "citizen_id_birthday"
    return None if citizen_id_checks(codes)[0] else "citizen_id_check"


# Credit code ---------------------------------------------------------------------------------------------------------


def credit_code_form(codes: Bytes) -> Mask:
    """Which rows use the alphabet of GB 32100 alone; the organisation code within ends in a digit or X."""
    inside: Any = _CREDIT_RANKS[codes] != _NONE
    return inside.all(axis=1)


def credit_code_checks(codes: Bytes) -> Mask:
    """Which rows have the right last character; rows must have the form."""
    ranks = _CREDIT_RANKS[codes].astype(np.int64)
    return (31 - ranks[:, :17] @ _CREDIT_WEIGHTS % 31) % 31 == ranks[:, 17]


def organisation_checks(codes: Bytes) -> Mask:
    """Which rows have the right check character in the organisation code, characters 9 to 17 (GB 11714)."""
    worth = _DIGITS_AND_LETTERS[codes[:, 8:16]].astype(np.int64)
    return _ORGANISATION_CHECKS[worth @ _ORGANISATION_WEIGHTS % 11] == codes[:, 16]


def credit_code_problem(text: str) -> str | None:
    """The reason code of what is wrong with one credit code, None where nothing is."""
    if len(text) != LENGTH or not text.isascii():
        return "credit_code_form"
    codes = _matrix([text])
    if not credit_code_form(codes)[0]:
        return "credit_code_form"
    if not credit_code_checks(codes)[0]:
        return "credit_code_check"
    return None if organisation_checks(codes)[0] else "credit_code_organisation"
