"""The admin: what every room's pages and buttons are made of, the dashboard, who may what, and the login."""
