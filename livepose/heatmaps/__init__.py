"""The heart: joints to heatmaps (encode) and heatmaps to joints (decode).

``decoding`` and ``encoding`` hold the public functions, which validate and document; ``_kernels``
computes, in numba; ``modulation`` knows DARK's blur.
"""

from livepose.heatmaps.decoding import (
    DECODERS,
    Decoded,
    decode,
    decode_argmax,
    decode_dark,
    decode_integral,
    decode_shift,
)
from livepose.heatmaps.encoding import Encoded, encode_dark, encode_standard
from livepose.heatmaps.modulation import blur_taps

__all__ = [
    "DECODERS",
    "Decoded",
    "Encoded",
    "blur_taps",
    "decode",
    "decode_argmax",
    "decode_dark",
    "decode_integral",
    "decode_shift",
    "encode_dark",
    "encode_standard",
]
