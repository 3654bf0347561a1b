"""The published tables beside what was measured here."""
