"""The pages as the Nu HTML checker reads them."""

from pathlib import Path

import pytest

from newsletter import templating
from tests.templates import nu_checker
from tests.templates.contexts import PAGES


@pytest.mark.slow
def test_the_checker_finds_no_error_on_any_page_in_any_direction(tmp_path: Path):
    nu_checker.command()
    for tag in ("en", "ar"):
        for name, cases in PAGES.items():
            for case, context in cases.items():
                page = templating.environment(tag).get_template(f"pages/{name}.html").render(context)
                (tmp_path / f"{name}-{case}-{tag}.html").write_text(page)
    found = nu_checker.errors(tmp_path)
    assert not found, "\n".join(found)
