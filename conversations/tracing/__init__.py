"""The story of a message, read from the tables; nothing here writes."""
