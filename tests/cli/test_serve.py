"""The address of `newsletter serve`, and the links of letters when no BASE_URL is set."""

import pytest

from newsletter.cli.serve import at_address, url_of
from newsletter.settings import Settings


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", 8000, "http://localhost:8000"),
        ("127.0.0.1", 22000, "http://localhost:22000"),
        ("localhost", 22000, "http://localhost:22000"),
        ("0.0.0.0", 8000, "http://localhost:8000"),  # noqa: S104 - not listened on
        ("::", 8000, "http://localhost:8000"),
        ("::1", 8000, "http://localhost:8000"),
        ("192.0.2.7", 8000, "http://192.0.2.7:8000"),
        ("2001:db8::7", 8000, "http://[2001:db8::7]:8000"),
    ],
)
def test_without_a_base_url_links_lead_to_where_the_site_listens(caplog, host, port, url):
    assert at_address(Settings(), host, port).base_url == url == url_of(host, port)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("base_url", "port", "is_warned_of"),
    [
        ("http://localhost:8000", 8000, False),
        ("http://localhost:8000", 22000, True),
        ("http://127.0.0.1:9000", 8000, True),
        ("http://localhost", 80, False),
        ("http://localhost", 8000, True),
        ("https://letters.example.org", 8000, False),
    ],
)
def test_a_base_url_on_this_machine_with_another_port_is_kept_and_warned_of(caplog, base_url, port, is_warned_of):
    assert at_address(Settings(base_url=base_url), "127.0.0.1", port).base_url == base_url
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == is_warned_of
    assert all(f"http://localhost:{port}" in line and base_url in line for line in told)


@pytest.mark.parametrize(("port", "is_warned_of"), [(8000, False), (8080, True)])
def test_separate_workers_do_not_learn_the_port_and_the_log_says_so(caplog, port, is_warned_of):
    settings = Settings(redis_url="redis://localhost:6379/0")
    assert at_address(settings, "127.0.0.1", port).base_url == f"http://localhost:{port}"
    said = [record.getMessage() for record in caplog.records]
    assert [each.endswith("Set it to http://localhost:8080, also for the workers") for each in said] == (
        [True] if is_warned_of else []
    )
