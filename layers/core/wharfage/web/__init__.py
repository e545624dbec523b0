"""The HTTP edge: what a function file needs to declare its routes."""

from wharfage.web.answers import Accepted, Created, Csv, Html, Json, JsonWord, NoContent, Text, Word
from wharfage.web.app import App
from wharfage.web.auth import admin, agent, public, signed_in
from wharfage.web.buyers import greet as greet_buyer
from wharfage.web.cursors import Listing
from wharfage.web.notifies import take as take_notify
from wharfage.web.routing import Limit, Wait

__all__ = [
    "Accepted",
    "App",
    "Created",
    "Csv",
    "Html",
    "Json",
    "JsonWord",
    "Limit",
    "Listing",
    "NoContent",
    "Text",
    "Wait",
    "Word",
    "admin",
    "agent",
    "greet_buyer",
    "public",
    "signed_in",
    "take_notify",
]
