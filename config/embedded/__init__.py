"""One-command start: an embedded Postgres and Valkey, and everything else of the Procfile around them."""
