"""What people recognise a device by."""

from ua_parser import parse_os, parse_user_agent

MAX_PARSED = 300  # longer than any browser's, and parsing tries many patterns


def device_name(user_agent: str) -> str:
    """`Firefox on Windows`; what is known of it, and "" when nothing is."""
    text = user_agent[:MAX_PARSED]
    browser, system = parse_user_agent(text), parse_os(text)
    return " on ".join(found.family for found in (browser, system) if found)[:100]
