"""The steps that a task calls: each idempotent, each taking and returning ids and counts only."""
