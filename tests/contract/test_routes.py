"""Template, functions and OpenAPI speak of the same routes, and each says who may call it."""

import json

import pytest

from infrastructure.openapi import DOCUMENT
from infrastructure.template import CHECKOUT, Function, functions
from wharfage.web import App
from wharfage.web.auth import Auth, Scheme

#: Open to everybody, each for a reason.
PUBLIC = {
    ("POST", "/v1/auth/register"),
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/operator"),
    ("GET", "/v1/health"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/errors/{code}"),
    ("POST", "/v1/agent/enrol"),
    ("POST", "/v1/alipay/notify"),
    ("GET", "/v1/alipay/return"),
    ("POST", "/v1/wechat/notify"),
    ("POST", "/v1/stripe/notify"),
    ("GET", "/v1/wechat/return"),
    ("GET", "/v1/stripe/return"),
    ("GET", "/v1/prices"),
    ("GET", "/v1/plans"),
    ("GET", "/v1/channels"),
}
SERVED = [function for function in functions() if function.routes]


def app_of(function: Function) -> App:
    app = function.load()
    assert isinstance(app, App)
    return app


def test_every_function_folder_is_in_the_template():
    folders = {path.parent.name for path in (CHECKOUT / "functions").glob("*/app.py")}

    assert {function.module.split(".")[1] for function in functions()} == folders


def test_every_handler_of_the_template_can_be_called():
    for function in functions():
        assert callable(function.load())
        for schedule in function.schedules:
            assert callable(function.load(schedule.handler))


@pytest.mark.parametrize("function", SERVED, ids=lambda function: function.name)
def test_the_template_declares_exactly_the_routes_of_the_function(function):
    app = app_of(function)
    in_chalice = {(method, path) for path, methods in app.routes.items() for method in methods}

    assert set(function.routes) == {(method, path) for path, method in app.table}
    assert set(function.routes) == in_chalice


def test_no_route_is_in_two_functions_and_none_is_greedy():
    routes = [route for function in SERVED for route in function.routes]

    assert len(routes) == len(set(routes))
    assert not any("+" in path or path == "$default" for _, path in routes)


def test_the_openapi_document_has_exactly_these_routes():
    paths = json.loads(DOCUMENT.read_text())["paths"]

    documented = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert documented == {route for function in SERVED for route in function.routes}


def test_only_known_routes_are_open_to_everybody():
    routes = [route for function in SERVED for route in app_of(function).table.values()]

    assert all(isinstance(route.auth, Auth) for route in routes)
    opened = {(route.method, route.path) for route in routes if route.auth.scheme is Scheme.NONE}
    assert opened <= PUBLIC


def test_every_route_says_what_it_does():
    routes = [route for function in SERVED for route in app_of(function).table.values()]

    assert [route.path for route in routes if not route.view.__doc__] == []
