"""Faces in head volumes: whether an object may show one, where it is, and how it is taken out (PS3.15 E.3.2)."""
