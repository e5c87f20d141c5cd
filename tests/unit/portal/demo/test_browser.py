"""The demo's browser takes from a page what a browser would send unseen, and nothing else."""

from __future__ import annotations

from portal.demo.browser import FormReader

PAGE = """
<form method="post">
  <input type="hidden" name="csrfmiddlewaretoken" value="a&amp;b">
  <input type="hidden" name="empty">
  <input type="hidden" value="nameless">
  <input type="text" name="username" value="somebody">
  <input name="plain" value="x"><button name="stop" value="yes">Stop</button>
  <input type="hidden" name="closed" value="1"/>
</form>
"""


def test_hidden_inputs_only():
    assert FormReader(PAGE).values == {"csrfmiddlewaretoken": "a&b", "empty": "", "closed": "1"}


def test_a_page_without_a_form_gives_nothing():
    assert FormReader("<p>type=hidden name=a</p>").values == {}
    assert FormReader("").values == {}
