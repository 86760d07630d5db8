"""Settings: environment variables with the prefix NEWSLETTER_, read once, at the edge.

A value comes from `NEWSLETTER_X`, from the file that `NEWSLETTER_X_FILE` names (a mounted secret), or from `.env`. An
empty value counts as not set. One message reports all unknown names and malformed values, and repeats no part of a
value that may be a secret.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from newsletter.errors import Misconfigured
from newsletter.setting_groups.limits import LimitSettings
from newsletter.setting_groups.sending import SendingSettings
from newsletter.setting_groups.sign_in import SignInSettings
from newsletter.setting_groups.site import SiteSettings
from newsletter.setting_groups.storage import StorageSettings
from newsletter.setting_groups.trust import TrustSettings

PREFIX = "NEWSLETTER_"


# Errors are listed in the order of the fields, and the last base's fields come first.
class Settings(LimitSettings, TrustSettings, SignInSettings, SiteSettings, SendingSettings, StorageSettings):
    """The operator's settings, immutable. Secrets are hidden from repr."""


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env"), **options: Any) -> Settings:
    """Read the settings. `options` (of the command line) take precedence. Raises Misconfigured naming every error."""
    # No interpolation: ${...} in a password is part of the password.
    from_file = dotenv_values(dotenv, interpolate=False) if dotenv and dotenv.is_file() else {}
    variables = {**from_file, **(os.environ if environ is None else environ)}
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX) and value}
    values, problems = _values(ours)
    try:
        settings = Settings(**{**values, **options})
    except ValidationError as error:
        problems += [
            f"{PREFIX}{str(e['loc'][0]).upper() + ': ' if e['loc'] else ''}{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
    if problems:
        raise Misconfigured("These settings are invalid:\n" + "\n".join(f"  {line}" for line in problems))
    return settings


def _values(variables: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return values by field name, with the content of _FILE settings, and the problems with names and files."""
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in sorted(variables.items()):
        setting = name.removesuffix("_FILE")
        if name in known:
            values[known[name]] = value
        elif setting == name or setting not in known:
            problems.append(f"{name}: there is no setting with that name")
        elif setting in variables:
            problems.append(f"{name}: {setting} is set as well; keep one of them")
        else:
            try:
                values[known[setting]] = _read(Path(value))
            except ValueError as error:
                problems.append(f"{name}: {error}")
    return values, problems


def _read(path: Path) -> str:
    """Return a file's content. Its errors omit the path, which may be the secret itself, entered by mistake."""
    try:
        content = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read the file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
    if not content:
        raise ValueError("the file is empty")
    return content
