"""Calibration: what the network says of its own certainty, against the errors that it makes.

``collect`` looks at annotated people, ``fit`` finds what turns the heatmap's shape and height into
an error, ``run`` does both, checks it on pictures that were not fitted on, and writes the few
numbers that the live path reads.
"""
