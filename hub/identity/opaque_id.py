"""Ids of accounts and applications: UUIDs in their one canonical form."""

from uuid import UUID


def is_opaque_id(text: str) -> bool:
    """Whether a text is a UUID as the hub writes it: what is not names nothing, and is not put to the store."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
