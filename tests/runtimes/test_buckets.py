"""Batches of any size over networks of a few sizes: nothing lost, nothing mixed up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livepose.runtimes.buckets import SlotRunner, exact_pieces, next_bucket, padded_pieces
from livepose.weights import Card

CARD = Card("hrnet_w32", (32, 32))
BUCKETS = st.sets(st.integers(1, 40), min_size=1).map(lambda sizes: sorted(sizes | {1}))


class EchoSlot:
    """Stands in for a recorded network: each heatmap says what was in its crop."""

    def __init__(self, bucket: int) -> None:
        self.bucket = bucket
        self.crops = np.full((bucket, 32, 32, 3), 255, np.uint8)
        self.heatmaps = np.zeros((bucket, 17, 8, 8), np.float32)
        self.runs = 0

    def run(self) -> None:
        self.runs += 1
        self.heatmaps[:] = self.crops[:, 0, 0, 0].reshape(-1, 1, 1, 1)


def numbered(count: int) -> np.ndarray:
    numbers = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(numbers, (count, 32, 32, 3))


@given(st.integers(0, 200), BUCKETS)
def test_exact_pieces_cover_the_batch_in_order_without_padding(
    count: int, buckets: list[int]
) -> None:
    pieces = exact_pieces(count, buckets)
    assert [n for piece in pieces for n in range(piece.start, piece.stop)] == list(range(count))
    assert all(piece.stop - piece.start == piece.bucket for piece in pieces)
    assert all(piece.bucket in buckets for piece in pieces)


@given(st.integers(0, 200), BUCKETS)
def test_padded_pieces_cover_the_batch_in_as_few_runs_as_can_be(
    count: int, buckets: list[int]
) -> None:
    pieces = padded_pieces(count, buckets)
    assert [n for piece in pieces for n in range(piece.start, piece.stop)] == list(range(count))
    assert len(pieces) == -(-count // max(buckets))
    assert all(piece.stop - piece.start <= piece.bucket for piece in pieces)
    assert all(piece.stop - piece.start == piece.bucket for piece in pieces[:-1])


@pytest.mark.parametrize(("count", "bucket"), [(1, 1), (3, 4), (4, 4), (9, 16), (33, 32)])
def test_the_next_bucket_is_the_smallest_that_holds_the_batch(count: int, bucket: int) -> None:
    assert next_bucket(count, (1, 2, 4, 8, 16, 32)) == bucket


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 17])
def test_results_come_back_in_the_order_of_the_crops(count: int) -> None:
    runner = SlotRunner(CARD, (4, 1, 2), EchoSlot)
    heatmaps = runner(numbered(count))
    assert heatmaps.shape == (count, 17, 8, 8)
    assert heatmaps.dtype == np.float32
    assert heatmaps[:, 0, 0, 0].tolist() == list(range(count))


def test_a_slot_is_made_when_it_is_first_needed_and_only_once() -> None:
    made: list[EchoSlot] = []

    def make(bucket: int) -> EchoSlot:
        made.append(EchoSlot(bucket))
        return made[-1]

    runner = SlotRunner(CARD, (1, 2, 4), make)
    runner(numbered(3))
    runner(numbered(4))
    runner(numbered(1))
    runner(numbered(9))
    assert [slot.bucket for slot in made] == [4, 1]
    assert [slot.runs for slot in made] == [4, 2]


def test_preparing_makes_the_largest_first() -> None:
    made: list[int] = []

    def make(bucket: int) -> EchoSlot:
        made.append(bucket)
        return EchoSlot(bucket)

    SlotRunner(CARD, (1, 2, 4, 8), make).prepare([1, 3, 10])
    assert made == [8, 4, 2, 1]


def test_an_answer_is_not_overwritten_by_the_next_one() -> None:
    runner = SlotRunner(CARD, (1, 2), EchoSlot)
    first = runner(numbered(2))
    runner(numbered(2)[::-1])
    assert first[:, 0, 0, 0].tolist() == [0, 1]
