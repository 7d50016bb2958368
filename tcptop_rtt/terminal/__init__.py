"""Drives the terminal: sets and restores its modes, reads its keys, and writes to it."""
