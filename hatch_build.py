"""Compile the catalogues whenever the package is built or installed."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))  # the code of this folder, not of an installed version

from newsletter.languages import compilation


class CompileCatalogues(BuildHookInterface):
    """The build fails on a catalogue with a problem."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the compiled catalogues beside their sources and add them to the wheel, although git ignores them."""
        build_data["artifacts"] += [
            f"/{path.relative_to(self.root)}" for path in compilation.compile_all(Path(self.root, "newsletter/locale"))
        ]
