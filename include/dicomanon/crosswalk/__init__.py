"""From any source object to its research object and back: PostgreSQL, with every source value sealed."""
