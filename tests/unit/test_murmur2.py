"""The partitioner agrees with Kafka's."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exchange.murmur2 import murmur2, partition_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it reads its own version in a way that is deprecated
    from kafka.partitioner.default import murmur2 as kafka_murmur2

# Vectors of Kafka's own test, org.apache.kafka.common.utils.UtilsTest.testMurmur2, signed as Java has them.
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), KAFKA_VECTORS.items())
def test_the_hash_is_kafkas(key: bytes, expected: int):
    assert murmur2(key) == expected & 0xFFFF_FFFF


@given(st.binary(max_size=80))
def test_any_key_hashes_as_kafkas_python_client_does(key: bytes):
    assert murmur2(key) == kafka_murmur2(key) & 0xFFFF_FFFF


@given(st.text(max_size=40), st.integers(1, 256))
def test_every_key_has_a_partition(key: str, partitions: int):
    assert 0 <= partition_of(key, partitions) < partitions


def test_batch_ids_spread_evenly():
    counts = [0, 0, 0, 0]
    for number in range(4000):
        counts[partition_of(f"0191f0c0-0000-7000-8000-{number:012x}", 4)] += 1
    assert min(counts) > 900
