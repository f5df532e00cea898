from __future__ import annotations

import pytest

from spry_core.errors import ResponseSealedError
from spry_core.headers import (
    Headers,
    MultiMapping,
    MutableHeaders,
    check_field_name,
    check_field_value,
    check_raw_fields,
    is_token,
)

TOKENS = ["a", "X-Request-Id", "!#$%&'*+-.^_`|~09azAZ"]
NO_TOKENS = ["", "a b", "a:", "a\n", "\na", "naïve", "a\x00", "a\x7f", "(a)", "\u212a"]
VALUES = ["", "a", "a b", "a\tb", "\xe9", "\x80", "\xff", "!~", "a" * 100_000]
CONTROLS = [chr(code) for code in range(0x20) if code != 0x09] + ["\x7f"]


@pytest.mark.parametrize("text", TOKENS)
def test_a_token_is_one(text: str) -> None:
    """RFC 9110 §5.6.2."""
    assert is_token(text)
    check_field_name(text)
    check_raw_fields([(text.encode(), b"")])


@pytest.mark.parametrize("text", NO_TOKENS)
def test_no_other_name_passes(text: str) -> None:
    """RFC 9110 §5.1: a field's name is a token, and nothing may stand behind it."""
    assert not is_token(text)
    with pytest.raises(ValueError, match=r"^the field name .* is not a token"):
        check_field_name(text)
    with pytest.raises(ValueError, match=r"^the field name .* is not a token"):
        check_raw_fields([(text.encode(), b"")])


@pytest.mark.parametrize("value", VALUES)
def test_a_value_of_visible_text_passes(value: str) -> None:
    """RFC 9110 §5.5."""
    check_field_value("x", value)
    check_raw_fields([(b"x", value.encode("latin-1"))])


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("form", ["{}", "a{}", "{}a", "a{}b"])
def test_a_control_character_never_passes(control: str, form: str) -> None:
    """RFC 9110 §5.5: CR, LF and NUL are dangerous, the others are not allowed either."""
    value = form.format(control)
    with pytest.raises(ValueError, match=r"^the value of field 'x' has a character that no field may have"):
        check_field_value("x", value)
    with pytest.raises(ValueError, match=r"^the value of field b'x' has a byte that no field may have"):
        check_raw_fields([(b"x", value.encode())])


@pytest.mark.parametrize("value", ["\u0100", "\u010d\u010a", "€", "\ud800"])
def test_a_character_outside_latin_1_never_passes(value: str) -> None:
    """Cut down to a byte, U+010D and U+010A would become CR and LF."""
    with pytest.raises(ValueError, match=r"^the value of field 'x' has a character that no field may have"):
        check_field_value("x", value)


@pytest.mark.parametrize("value", [" ", "\t", " a", "a ", "\ta", "a\t"])
def test_whitespace_at_the_ends_of_a_value_never_passes(value: str) -> None:
    """RFC 9110 §5.5: a recipient would take it away."""
    with pytest.raises(ValueError, match=r"^the value of field 'x' begins or ends with whitespace"):
        check_field_value("x", value)
    with pytest.raises(ValueError, match=r"^the value of field b'x' begins or ends with whitespace"):
        check_raw_fields([(b"x", value.encode())])


def test_an_error_repeats_little_of_what_was_wrong() -> None:
    with pytest.raises(ValueError) as name:
        check_field_name("é" * 1000)
    assert str(name.value) == f"the field name '{'é' * 40}' is not a token (RFC 9110 §5.6.2)"
    with pytest.raises(ValueError) as value:
        check_field_value("a" * 1000, "\n" * 1000)
    assert str(value.value) == (
        f"the value of field '{'a' * 40}' has a character that no field may have (RFC 9110 §5.5)"
    )


def test_raw_fields_are_judged_one_by_one() -> None:
    fields = [(b"a", b"1"), (b"b", b"2\r\n"), (b"c", b"3")]
    with pytest.raises(ValueError, match="b'b'"):
        check_raw_fields(fields)
    check_raw_fields(())


def test_the_first_of_several_values_is_the_value() -> None:
    mapping = MultiMapping([("a", "1"), ("b", "2"), ("a", "3")])
    assert mapping["a"] == "1"
    assert mapping["b"] == "2"
    assert mapping.get("a") == "1"
    assert mapping.get("c") is None
    assert mapping.get("c", "4") == "4"
    assert mapping.get_all("a") == ["1", "3"]
    assert mapping.get_all("c") == []
    with pytest.raises(KeyError, match="c"):
        mapping["c"]


def test_names_are_seen_once_and_pairs_as_often_as_they_came() -> None:
    mapping = MultiMapping([("a", "1"), ("b", "2"), ("a", "3")])
    assert mapping.items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert mapping.keys() == ["a", "b"]
    assert list(mapping) == ["a", "b"]
    assert len(mapping) == 2
    assert "a" in mapping
    assert "c" not in mapping
    assert not MultiMapping()


def test_a_mapping_gives_away_copies() -> None:
    mapping = MultiMapping({"a": "1"})
    mapping.items().clear()
    mapping.keys().clear()
    mapping.get_all("a").clear()
    assert mapping == MultiMapping([("a", "1")])


def test_equality_looks_at_pairs_in_order() -> None:
    assert MultiMapping({"a": "1", "b": "2"}) == MultiMapping([("a", "1"), ("b", "2")])
    assert MultiMapping({"a": "1", "b": "2"}) != MultiMapping({"b": "2", "a": "1"})
    assert MultiMapping({"a": "1"}) != {"a": "1"}


def test_a_mapping_cannot_be_a_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(MultiMapping())


def test_a_mapping_shows_its_pairs() -> None:
    assert repr(MultiMapping({"a": "1"})) == "MultiMapping([('a', '1')])"
    assert repr(Headers({"A": "1"})) == "Headers([('a', '1')])"


def test_names_of_fields_have_no_case() -> None:
    """RFC 9110 §5.1."""
    headers = Headers([("Content-Type", "text/plain"), ("content-TYPE", "text/html")])
    assert headers["CONTENT-TYPE"] == "text/plain"
    assert headers.get_all("Content-Type") == ["text/plain", "text/html"]
    assert "content-Type" in headers
    assert headers.keys() == ["content-type"]


def test_only_ascii_letters_lose_their_case() -> None:
    """`str.lower` takes the Kelvin sign for a k."""
    assert "\u212aey" not in Headers({"key": "1"})
    assert Headers({"\u212aey": "1"}).keys() == ["\u212aey"]


def test_names_of_other_mappings_have_case() -> None:
    assert "A" not in MultiMapping({"a": "1"})


def test_headers_come_from_the_wire_as_latin_1() -> None:
    headers = Headers.from_raw(((b"X-Name", b"caf\xe9"), (b"x-name", b"\xff")))
    assert headers.items() == [("x-name", "caf\xe9"), ("x-name", "\xff")]
    assert type(headers) is Headers


def test_headers_go_to_the_wire_as_latin_1() -> None:
    headers = MutableHeaders([("X-Name", "caf\xe9"), ("x-name", "\xff")])
    assert headers.raw() == ((b"X-Name", b"caf\xe9"), (b"X-Name", b"\xff"))


def test_setting_replaces_every_value_in_the_place_of_the_first() -> None:
    headers = MutableHeaders([("a", "1"), ("b", "2"), ("a", "3")])
    headers["A"] = "4"
    headers["c"] = "5"
    assert headers.items() == [("a", "4"), ("b", "2"), ("c", "5")]
    assert headers.get_all("a") == ["4"]


def test_adding_keeps_what_is_there() -> None:
    """RFC 9110 §5.3: Set-Cookie is the field that needs it (RFC 6265 §3)."""
    headers = MutableHeaders()
    headers.add("Set-Cookie", "a=1")
    headers.add("set-cookie", "b=2")
    assert headers.items() == [("set-cookie", "a=1"), ("set-cookie", "b=2")]
    assert headers["set-cookie"] == "a=1"


def test_deleting_takes_every_value() -> None:
    headers = MutableHeaders([("a", "1"), ("b", "2"), ("a", "3")])
    del headers["A"]
    assert headers.items() == [("b", "2")]
    assert headers.get_all("a") == []
    with pytest.raises(KeyError, match="a"):
        del headers["a"]
    headers.discard("a")
    headers.discard("b")
    assert headers.items() == []


def test_a_default_gives_way_to_what_is_there() -> None:
    headers = MutableHeaders({"a": "1"})
    assert headers.setdefault("A", "2") == "1"
    assert headers.setdefault("b", "3") == "3"
    assert headers.items() == [("a", "1"), ("b", "3")]


@pytest.mark.parametrize(("name", "value"), [("a b", "1"), ("a", "1\r\nb: 2"), ("\u212a", "1")])
def test_what_cannot_be_sent_is_refused_where_it_is_set(name: str, value: str) -> None:
    headers = MutableHeaders({"a": "0"})
    with pytest.raises(ValueError):
        headers[name] = value
    with pytest.raises(ValueError):
        headers.add(name, value)
    with pytest.raises(ValueError):
        MutableHeaders([(name, value)])
    assert headers.items() == [("a", "0")]


def test_a_default_that_cannot_be_sent_is_refused() -> None:
    headers = MutableHeaders()
    with pytest.raises(ValueError):
        headers.setdefault("a", "\n")
    assert headers.items() == []


def test_sealed_headers_can_only_be_read() -> None:
    """RFC 9110 §15.2.2: what the 101 said cannot be changed after it was sent."""
    headers = MutableHeaders({"a": "1"})
    headers.seal()
    with pytest.raises(ResponseSealedError, match="has been sent"):
        headers["a"] = "2"
    with pytest.raises(ResponseSealedError):
        headers["b"] = "2"
    with pytest.raises(ResponseSealedError):
        headers.add("a", "2")
    with pytest.raises(ResponseSealedError):
        headers.setdefault("b", "2")
    with pytest.raises(ResponseSealedError):
        del headers["a"]
    with pytest.raises(ResponseSealedError):
        headers.discard("a")
    assert headers.setdefault("a", "2") == "1"
    assert headers.raw() == ((b"A", b"1"),)


def test_a_mapping_can_be_made_of_another() -> None:
    pairs = [("A", "1"), ("b", "2"), ("a", "3")]
    assert MutableHeaders(MultiMapping(pairs)).items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert MultiMapping(dict(pairs)).items() == pairs


@pytest.mark.parametrize(
    "name", ["Sec-WebSocket-Version", "WWW-Authenticate", "ETag", "TE", "Content-Type", "X-A1-B"]
)
def test_names_are_spelled_as_the_standards_have_them(name: str) -> None:
    """RFC 9110 §5.1: their case means nothing, but people read them."""
    assert MutableHeaders([(name.lower(), "1"), (name.upper(), "2")]).raw() == (
        (name.encode(), b"1"),
        (name.encode(), b"2"),
    )
