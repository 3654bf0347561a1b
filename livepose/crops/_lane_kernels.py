"""Pixels as vectors: what numba's compiler does not find by itself.

Blue, green and red of a pixel lie side by side, so that one load takes all three (and the blue of
the next, which nobody wants), one product weighs them, and one store puts them down. Written out
in numbers they take three times as long.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 4
SPARE = LANES + 2
"""So many floats must follow the last pixel of whatever is read or written here."""
_PIXEL = 3
_FLOAT, _INDEX = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


def _weigh(samples: int) -> Any:
    """The kernel ``(line, places, weights, pixels, x)`` for so many samples an output pixel.

    Writes to ``pixels[3 * x :]`` the sum over the samples s of pixel x: the pixel of ``line`` at
    ``places[s]`` times ``weights[s, 0]``, and the one after it times ``weights[s, 1]``. ``line``
    and ``pixels`` are float32, ``weights`` float32 (N, 2), ``places`` int64 (N,); contiguous.
    """

    def weigh(
        typing: Any, line: Any, places: Any, weights: Any, pixels: Any, x: Any
    ) -> tuple[Any, Callable[..., Any]]:
        signature = types.void(line, places, weights, pixels, types.int64)
        return signature, lambda *given: _write(samples, *given)

    return intrinsic(weigh)


def _write(samples: int, context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """The instructions of one pixel."""
    line, places, weights, pixels = (
        cgutils.create_struct_proxy(kind)(context, builder, value).data
        for kind, value in zip(signature.args[:4], values, strict=False)
    )
    first, total = builder.mul(values[4], _number(samples)), None
    for index in range(2 * samples):
        sample, side = builder.add(first, _number(index // 2)), index % 2
        place = builder.load(builder.gep(places, [sample]))
        pixel = builder.load(_lanes_at(builder, line, builder.add(place, _number(_PIXEL * side))))
        pixel.align = 4
        which = builder.add(builder.mul(sample, _number(2)), _number(side))
        weight = builder.load(builder.gep(weights, [which]))
        product = builder.fmul(_spread(builder, weight), pixel)
        total = product if total is None else builder.fadd(total, product)
    target = _lanes_at(builder, pixels, builder.mul(values[4], _number(_PIXEL)))
    builder.store(total, target, align=4)
    return context.get_dummy_value()


def _number(value: int) -> Any:
    return ir.Constant(_INDEX, value)


def _lanes_at(builder: Any, floats: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(floats, [index]), _VECTOR.as_pointer())


def _spread(builder: Any, value: Any) -> Any:
    """The same number in every lane."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, nothing, everywhere)


weigh_1, weigh_2, weigh_3, weigh_4 = _weigh(1), _weigh(2), _weigh(3), _weigh(4)
