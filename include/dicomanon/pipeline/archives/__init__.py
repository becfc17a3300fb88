"""Compares clinical PACS, ledger, crosswalk and research PACS; says what differs and why, and removes nothing."""
