from monitor.core.matcher_text import parse_matchers
from monitor.core.routing import Route, receivers_of

FACTS = {"type": "batch.completed", "team": "collections"}


def route(receiver: str, *matchers: str) -> Route:
    return Route(
        receiver=receiver, matchers=tuple(m for text in matchers for m in parse_matchers(text))
    )


def test_every_route_that_matches_applies_in_order() -> None:
    routes = [
        route("crm"),
        route("nobody", "type = batch.failed"),
        route("ops", "team = collections"),
    ]

    assert receivers_of(FACTS, routes) == ("crm", "ops")


def test_a_receiver_of_several_routes_comes_once_where_it_came_first() -> None:
    routes = [route("ops"), route("crm"), route("ops", "team = collections")]

    assert receivers_of(FACTS, routes) == ("ops", "crm")


def test_all_matchers_of_a_route_must_hold() -> None:
    half = route("ops", "type = batch.completed", "team = sales")

    assert receivers_of(FACTS, [half]) == ()


def test_without_routes_nobody_hears() -> None:
    assert receivers_of(FACTS, []) == ()
