"""The API's doors to what the room of money and keys does."""
