"""What each kind of work may do in the crosswalk: roles, and their privileges as data that every migration applies."""
