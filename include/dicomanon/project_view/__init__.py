"""A de-identified object as one project with pseudonyms of its own sees it; pure."""
