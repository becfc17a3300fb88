"""What people decide about identities: merges, splits, overruled conflicts; each a row for ever, and audited."""
