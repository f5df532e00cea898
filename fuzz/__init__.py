"""Fuzzing: any bytes, in any pieces, at any time, against what must always hold (`python3 dev.py fuzz`)."""
