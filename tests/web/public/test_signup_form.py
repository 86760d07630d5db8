"""The name that a visitor enters."""

import pytest

ANA = "ana@example.org"


@pytest.mark.parametrize("name", ["علی‌رضا", "Jean\u00a0Paul", "क्‍ष", "O'Neill", "José María", "小雪"])
def test_names_in_any_script_are_accepted(service, name):
    service.newsletter()
    assert service.sign_up(ANA, name=name).status_code == 202


@pytest.mark.parametrize("name", ["a\u202eb", "a\u2028b", "a\tb", "a\x7fb"])
def test_names_with_control_characters_are_refused(service, name):
    service.newsletter()
    assert service.sign_up(ANA, name=name).status_code == 422
