"""What was researched beside the product, with its tables; not installed."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 on."""
    return 0 if text == "0" else positive(text)
