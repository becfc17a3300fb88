"""Tokens for the gateway, what each of them shows, and the record of what was read by it."""
