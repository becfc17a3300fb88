"""Cohorts: what a researcher may ask for, how the request stays sealed, and the release that answers it."""
