"""Takes objects out of the research PACS again: the steps of withdrawal, recall and re-issue."""
