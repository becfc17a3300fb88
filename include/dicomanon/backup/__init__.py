"""Copies of the crosswalk's database: encrypted, verified by restoring them, kept for a while, brought back."""
