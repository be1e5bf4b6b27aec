"""The mail that invites somebody into a practice."""
