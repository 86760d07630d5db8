"""What all groups of settings share."""

from pydantic import BaseModel, ConfigDict


class SettingGroup(BaseModel):
    """Settings that are about the same thing, immutable. Secrets are hidden from repr."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
