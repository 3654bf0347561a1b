"""Calibration: what a network says of its own certainty against the errors that it makes (``run``,
``fit``), and the ranges that INT8 needs (``int8``).
"""
