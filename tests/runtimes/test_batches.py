"""Batches of any size over networks of a few sizes: nothing lost, nothing mixed up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livepose.runtimes.batches import SlotRunner, exact_slices, next_size, padded_slices
from livepose.weights import Card

CARD = Card("hrnet_w32", (32, 32))
BATCH_SIZES = st.sets(st.integers(1, 40), min_size=1).map(lambda sizes: sorted(sizes | {1}))


class EchoSlot:
    """Stands in for a recorded network: each heatmap says what was in its crop."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.crops = np.full((size, 32, 32, 3), 255, np.uint8)
        self.heatmaps = np.zeros((size, 17, 8, 8), np.float32)
        self.runs = 0

    def run(self) -> None:
        self.runs += 1
        self.heatmaps[:] = self.crops[:, 0, 0, 0].reshape(-1, 1, 1, 1)


def numbered(count: int) -> np.ndarray:
    numbers = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(numbers, (count, 32, 32, 3))


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


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 17])
def test_results_come_back_in_the_order_of_the_crops(count: int) -> None:
    runner = SlotRunner(CARD, (4, 1, 2), EchoSlot)
    heatmaps = runner(numbered(count))
    assert heatmaps.shape == (count, 17, 8, 8)
    assert heatmaps.dtype == np.float32
    assert heatmaps[:, 0, 0, 0].tolist() == list(range(count))


def test_a_slot_is_made_when_it_is_first_needed_and_only_once() -> None:
    made: list[EchoSlot] = []

    def make(size: int) -> EchoSlot:
        made.append(EchoSlot(size))
        return made[-1]

    runner = SlotRunner(CARD, (1, 2, 4), make)
    runner(numbered(3))
    runner(numbered(4))
    runner(numbered(1))
    runner(numbered(9))
    assert [slot.size for slot in made] == [4, 1]
    assert [slot.runs for slot in made] == [4, 2]


def test_preparing_makes_the_largest_first() -> None:
    made: list[int] = []

    def make(size: int) -> EchoSlot:
        made.append(size)
        return EchoSlot(size)

    SlotRunner(CARD, (1, 2, 4, 8), make).prepare([1, 3, 10])
    assert made == [8, 4, 2, 1]


def test_an_answer_is_not_overwritten_by_the_next_one() -> None:
    runner = SlotRunner(CARD, (1, 2), EchoSlot)
    first = runner(numbered(2))
    runner(numbered(2)[::-1])
    assert first[:, 0, 0, 0].tolist() == [0, 1]
