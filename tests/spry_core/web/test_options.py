from __future__ import annotations

from typing import cast

import pytest

from spry_core.protocol.deflate import Deflate
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.web.options import Compression, WebSocketOptions, WebSocketSettings, merge, resolve
from spry_core.web.request import Request


def choose(offers: list[str]) -> str:
    return offers[0]


def fallback(request: Request) -> str:
    return "a page"


def settings(**values: object) -> WebSocketSettings:
    """Say what a checker would refuse."""
    return cast("WebSocketSettings", values)


def test_without_a_word_the_defaults_hold() -> None:
    options = resolve()
    assert options == WebSocketOptions()
    assert options.protocols == ()
    assert options.select_protocol is None
    assert options.require_protocol is False
    assert (options.accept, options.compression) == ("auto", None)
    assert options.origins == "same"
    assert options.fallback is None
    assert options.on_disconnect == "raise"
    assert options.close_on_return is False


def test_every_option_is_kept() -> None:
    options = resolve(
        {
            "protocols": ["chat.v2", "chat"],
            "require_protocol": True,
            "origins": ["https://a.example"],
            "fallback": fallback,
            "on_disconnect": "cancel",
            "close_on_return": True,
        }
    )
    assert options == WebSocketOptions(
        protocols=("chat.v2", "chat"),
        require_protocol=True,
        origins=("https://a.example",),
        fallback=fallback,
        on_disconnect="cancel",
        close_on_return=True,
    )
    assert resolve({"select_protocol": choose}).select_protocol is choose


def test_limits_and_timeouts_of_the_route_replace_those_of_the_server() -> None:
    options = resolve(
        {
            "max_message_size": None,
            "max_fragments": 1,
            "max_queue": 2,
            "ping_interval": None,
            "ping_timeout": 3.0,
            "close_timeout": 4.0,
        }
    )
    limits = Limits(max_message_size=7, max_queue=8, high_water=9)
    assert options.limits(limits) == Limits(max_message_size=None, max_fragments=1, max_queue=2, high_water=9)
    timeouts = Timeouts(ping_interval=7.0, head=8.0)
    assert options.timeouts(timeouts) == Timeouts(
        ping_interval=None, ping_timeout=3.0, close_timeout=4.0, head=8.0
    )


def test_what_the_route_leaves_out_is_the_servers() -> None:
    limits, timeouts = Limits(), Timeouts()
    assert resolve().limits(limits) is limits
    assert resolve().timeouts(timeouts) is timeouts


def test_all_connections_of_a_route_have_the_same_limits() -> None:
    options = resolve({"max_queue": 2, "ping_interval": 1.0})
    assert options.limits(Limits()) is options.limits(Limits())
    assert options.timeouts(Timeouts()) is options.timeouts(Timeouts())
    assert (options.limits(Limits(max_queue=9)), options.limits(Limits(high_water=9))) == (
        Limits(max_queue=2),
        Limits(max_queue=2, high_water=9),
    )


def test_the_nearest_level_wins() -> None:
    merged = merge(
        {"ping_interval": 1.0, "max_queue": 1}, {"ping_interval": 2.0, "max_fragments": 2}, {"max_queue": 3}
    )
    assert merged == {"ping_interval": 2.0, "max_queue": 3, "max_fragments": 2}


def test_merging_changes_no_level() -> None:
    outer, inner = WebSocketSettings(protocols=["a"]), WebSocketSettings(select_protocol=choose)
    merge(outer, inner)
    assert (outer, inner) == ({"protocols": ["a"]}, {"select_protocol": choose})


def test_who_chooses_otherwise_has_said_both() -> None:
    assert merge({"protocols": ["a"]}, {"select_protocol": choose}) == {"select_protocol": choose}
    assert merge({"select_protocol": choose}, {"protocols": ["a"]}) == {"protocols": ["a"]}
    assert merge({"protocols": ["a"]}, {"max_queue": 1}) == {"protocols": ["a"], "max_queue": 1}


def test_two_ways_to_choose_at_once_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="protocols and select_protocol"):
        resolve({"protocols": ["a"], "select_protocol": choose})


@pytest.mark.parametrize("name", ["compress", "autoaccept", "max_size", "Protocols", "limit_settings"])
def test_an_option_that_there_is_not_is_named(name: str) -> None:
    with pytest.raises(TypeError, match=f"^a WebSocket route has no option '{name}'$"):
        resolve(settings(**{name: None}))


@pytest.mark.parametrize("protocols", [["a", "a"], [""], ["a b"], ["a,b"], ["é"]])
def test_subprotocols_are_different_tokens(protocols: list[str]) -> None:
    """RFC 6455 §4.1."""
    with pytest.raises(ValueError, match="protocols are different tokens"):
        resolve({"protocols": protocols})


def test_one_subprotocol_alone_is_no_sequence() -> None:
    with pytest.raises(TypeError, match="protocols is a sequence"):
        resolve({"protocols": "chat"})


def test_a_handler_is_raised_at_or_cancelled() -> None:
    with pytest.raises(ValueError, match="on_disconnect is 'raise' or 'cancel'"):
        resolve(settings(on_disconnect="ignore"))


def test_origins_are_judged_too() -> None:
    with pytest.raises(ValueError, match="is not how a browser writes"):
        resolve({"origins": ["https://example.org/"]})


@pytest.mark.parametrize(
    "name",
    ["max_message_size", "max_fragments", "max_queue", "ping_interval", "ping_timeout", "close_timeout"],
)
def test_numbers_are_judged_where_they_are_said(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is negative: -1"):
        resolve(settings(**{name: -1}))
    with pytest.raises(TypeError):
        resolve(settings(**{name: "1"}))
    options = resolve(settings(**{name: 1}))
    assert {**options.limit_settings, **options.timeout_settings} == {name: 1}


def test_the_length_of_the_queue_cannot_be_turned_off() -> None:
    with pytest.raises(TypeError, match="max_queue is a number"):
        resolve(settings(max_queue=None))


def test_size_and_fragments_of_a_message_may_be_without_a_limit() -> None:
    options = resolve({"max_message_size": None, "max_fragments": None})
    limits = options.limits(Limits())
    assert (limits.max_message_size, limits.max_fragments) == (None, None)


def test_the_101_is_sent_by_the_route_or_by_the_handler() -> None:
    assert [resolve({"accept": "auto"}).accept, resolve({"accept": "manual"}).accept] == ["auto", "manual"]
    with pytest.raises(ValueError, match="accept is 'auto' or 'manual'"):
        resolve(settings(accept="later"))


def test_compression_is_off_or_as_settings_or_their_defaults_say() -> None:
    """RFC 7692 §7.1."""
    mine = Deflate(level=9, threshold=0)
    given: list[Compression] = [None, True, mine]
    assert [resolve({"compression": each}).compression for each in given] == [None, Deflate(), mine]


@pytest.mark.parametrize("compression", [False, 1, "deflate", {"level": 1}], ids=repr)
def test_anything_else_is_no_compression(compression: object) -> None:
    with pytest.raises(TypeError, match="compression is None, True or a Deflate, not "):
        resolve(settings(compression=compression))


def test_a_route_may_turn_off_the_compression_that_its_group_has() -> None:
    assert resolve({"compression": True}, {"compression": None}).compression is None
