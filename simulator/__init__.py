"""A stand-in for OpenAI's API and for Meta's Graph API, spoken over HTTP; it imports no other room."""
