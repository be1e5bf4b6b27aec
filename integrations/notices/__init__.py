"""Mail to users about their own login. Queued by the transaction it tells of, like every message."""
