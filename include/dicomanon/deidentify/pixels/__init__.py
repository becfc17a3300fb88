"""Pixels: whether they may be released as they are, where they show identifying text, and how it is removed."""
