"""Which actions an appointment's status allows."""

TRANSITIONS = {
    "proposed": ["cancel", "confirm", "enter-in-error"],
    "waitlist": ["cancel", "enter-in-error"],
    "pending": ["cancel", "confirm", "enter-in-error"],
    "booked": ["arrive", "cancel", "check-in", "confirm", "enter-in-error", "no-show"],
    "arrived": ["cancel", "check-in", "fulfill", "undo"],
    "checked-in": ["cancel", "fulfill", "undo"],
    "noshow": ["arrive", "enter-in-error", "undo"],
    "cancelled": ["undo"],
    "fulfilled": ["enter-in-error", "undo"],
    "entered-in-error": [],
}
