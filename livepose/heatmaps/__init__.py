"""The heart: joints to heatmaps (encode) and heatmaps to joints (decode).

``decoding`` and ``encoding`` hold the public functions, which validate and document; ``_kernels``
computes, in numba.
"""

from livepose.heatmaps.decoding import (
    DECODERS,
    Decoded,
    blur_taps,
    decode,
    decode_argmax,
    decode_dark,
    decode_integral,
    decode_shift,
)
from livepose.heatmaps.encoding import Encoded, encode_dark, encode_standard

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
