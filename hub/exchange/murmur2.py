"""Which partition a key belongs to: murmur2, as Kafka's own producers choose, so that both logs agree."""

_MASK = 0xFFFF_FFFF
_SEED = 0x9747_B28C
_M = 0x5BD1_E995


def murmur2(key: bytes) -> int:
    """The 32-bit hash, unsigned. Keys are short: batch ids of 36 characters."""
    length = len(key)
    h = _SEED ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(key[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key."""
    return (murmur2(key.encode()) & 0x7FFF_FFFF) % partitions
