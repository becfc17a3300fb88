"""The whole system on one machine: real servers, generated secrets, one private folder."""
