"""The leaf of a receipt: what proves to a department, offline, that the hub took its batch and what became of it."""

import hashlib

import rfc8785

from hub.exchange.receipt import Receipt
from hub.ledger.leaf import Leaf

ACTION = "receipt.given"
NOT_DIGESTED = ("leaf", "seconds")  # the leaf cannot name itself; how long it took is of no consequence


def receipt_digest(receipt: Receipt) -> str:
    """SM3 of the receipt's canonical JSON (RFC 8785) without ``leaf`` and ``seconds``, hexadecimal."""
    members = {name: value for name, value in receipt.to_json().items() if name not in NOT_DIGESTED}
    return hashlib.new("sm3", rfc8785.dumps(members)).hexdigest()


def leaf_of(receipt: Receipt, bytes_: int) -> Leaf:
    """The leaf of a receipt over a container file of so many bytes."""
    return Leaf(
        action=ACTION,
        actor=f"organization:{receipt.sender}",
        actor_org=receipt.sender,
        on_behalf_of="" if receipt.organization == receipt.sender else receipt.organization,
        object=f"batch:{receipt.organization}/{receipt.batch}",
        object_version=f"{receipt.dataset}@{receipt.contract}",
        decision="denied" if receipt.status == "refused" else "allowed",
        rows=receipt.received,
        bytes=bytes_,
        result_sm3=receipt_digest(receipt),
        trace=str(receipt.run if receipt.log_offset_last is None else receipt.span),
    )
