"""The audit trail: who was given, asked or decided what, in one hash chain that says when it was touched."""
