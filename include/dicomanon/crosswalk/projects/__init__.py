"""Projects: what they may ask for, who asks for them, and who reads what they were given."""
