"""Re-identification of one patient or object: asked by one person, approved by another, shown once, all on record."""
