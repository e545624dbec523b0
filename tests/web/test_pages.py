"""Pages for people: the browser is allowed exactly their own look, and shows what it is given."""

import re
from base64 import b64encode
from hashlib import sha256

from wharfage.web.pages import STYLE_SOURCE, page


def test_the_policy_allows_the_style_of_a_page_by_its_digest():
    [style] = re.findall(r"<style>(.*?)</style>", page("x", ""), re.DOTALL)

    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" == STYLE_SOURCE


def test_a_title_is_text():
    assert "<title>&lt;b&gt;</title>" in page("<b>", "")
