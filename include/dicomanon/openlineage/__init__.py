"""OpenLineage: events that tell other tools what every task did, without PHI; sent, kept in files, loaded."""
