"""Batches of any size over networks of a few sizes: nothing lost, nothing mixed up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livepose.runtimes.batches import exact_slices, next_size, padded_slices

BATCH_SIZES = st.sets(st.integers(1, 40), min_size=1).map(lambda sizes: sorted(sizes | {1}))


@given(st.integers(0, 200), BATCH_SIZES)
def test_exact_slices_cover_the_batch_in_order_without_padding(
    count: int, sizes: list[int]
) -> None:
    slices = exact_slices(count, sizes)
    assert [n for part in slices for n in range(part.start, part.stop)] == list(range(count))
    assert all(part.stop - part.start == part.size for part in slices)
    assert all(part.size in sizes for part in slices)


@given(st.integers(0, 200), BATCH_SIZES)
def test_padded_slices_cover_the_batch_in_as_few_runs_as_can_be(
    count: int, sizes: list[int]
) -> None:
    slices = padded_slices(count, sizes)
    assert [n for part in slices for n in range(part.start, part.stop)] == list(range(count))
    assert len(slices) == -(-count // max(sizes))
    assert all(part.stop - part.start <= part.size for part in slices)
    assert all(part.stop - part.start == part.size for part in slices[:-1])


@pytest.mark.parametrize(("count", "size"), [(1, 1), (3, 4), (4, 4), (9, 16), (33, 32)])
def test_the_next_bucket_is_the_smallest_that_holds_the_batch(count: int, size: int) -> None:
    assert next_size(count, (1, 2, 4, 8, 16, 32)) == size
