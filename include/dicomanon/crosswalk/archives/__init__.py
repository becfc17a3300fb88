"""How both archives and the crosswalk differ: causes as data, differences as rows, what a check goes by."""
