"""Web chat: chats on pages of a business, and what a business's own server tells us in its visitors' name."""
