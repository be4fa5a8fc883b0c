"""What every room's part of the management API is made of: errors, input, pages, and how it is described."""
