"""What is taken out of the research PACS again: decided, carried out, confirmed, and remembered."""
