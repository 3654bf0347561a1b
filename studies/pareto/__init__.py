"""Accuracy against time on this machine, for every combination of settings."""
