"""The local page on which a person looks at what is held for its pixels, and says what becomes of a device."""
