"""Batches of any size over networks of a few sizes: nothing lost, nothing mixed up."""

from hypothesis import given
from hypothesis import strategies as st

from livepose.runtimes.batches import exact_slices

BATCH_SIZES = st.sets(st.integers(1, 40), min_size=1).map(lambda sizes: sorted(sizes | {1}))


@given(st.integers(0, 200), BATCH_SIZES)
def test_exact_slices_cover_the_batch_in_order_without_padding(
    count: int, sizes: list[int]
) -> None:
    slices = exact_slices(count, sizes)
    assert [n for part in slices for n in range(part.start, part.stop)] == list(range(count))
    assert all(part.stop - part.start == part.size for part in slices)
    assert all(part.size in sizes for part in slices)
