"""Close codes and Close frames (RFC 6455 §5.5.1, §7.4)."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from spry_core.closing import MAX_CLOSE_REASON, Close

REGISTERED: Final = (1000, 1001, 1002, 1003, *range(1007, 1015))
"""Codes that the registry knows and a Close frame may carry (RFC 6455 §7.4.1, §11.7)."""

RESERVED: Final = (1005, 1006, 1015)
"""Codes that say what has happened and are never sent (RFC 6455 §7.4.1)."""


def close_codes() -> st.SearchStrategy[int]:
    """Give the codes that a Close frame may carry, whoever sends it; the simplest is 1000 (RFC 6455 §7.4)."""
    return st.sampled_from(REGISTERED) | st.integers(3000, 4999)


def application_close_codes() -> st.SearchStrategy[int]:
    """Give the codes that browsers let an application send: 1000, and 3000 to 4999 (RFC 6455 §7.4.2)."""
    return st.just(1000) | st.integers(3000, 4999)


def reserved_close_codes() -> st.SearchStrategy[int]:
    """Give the codes that are reported and never sent: 1005, 1006, 1015 (RFC 6455 §7.4.1)."""
    return st.sampled_from(RESERVED)


def forbidden_close_codes() -> st.SearchStrategy[int]:
    """Give every number of 16 bits that no Close frame may carry, the reserved ones first (RFC 6455 §7.4)."""
    return st.one_of(
        reserved_close_codes(),
        st.just(1004),
        st.integers(0, 999),
        st.integers(1016, 2999),
        st.integers(5000, 65535),
    )


def close_reasons(*, max_bytes: int = MAX_CLOSE_REASON) -> st.SearchStrategy[str]:
    """Give close reasons of at most so many bytes of UTF-8; the simplest is empty (RFC 6455 §5.5)."""
    return st.text(max_size=max_bytes).map(lambda text: _shortened(text, max_bytes))


def closes() -> st.SearchStrategy[Close]:
    """Give the contents of valid Close frames; the simplest is empty."""
    said = st.builds(Close, code=close_codes(), reason=close_reasons())
    return st.just(Close()) | said


def _shortened(text: str, most: int) -> str:
    """Cut to so many bytes, between two characters."""
    return text.encode()[:most].decode(errors="ignore")
