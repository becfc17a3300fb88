"""How long a test waits before it calls something hung."""

HUNG = 60
"""Seconds. A defect takes minutes at the sizes that tests choose, a slow machine a fraction; speed is for bench/."""
