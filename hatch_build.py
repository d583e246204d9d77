"""What a package index shows of the project: README with whole addresses, and its links."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Links(MetadataHookInterface):
    """Derive all addresses from `repository` in the hook's table of pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set what depends on where the repository is."""
        home = self.config["repository"]
        metadata["urls"] = {
            "Homepage": home,
            "Documentation": f"{home}#where-to-read-on",
            "Changelog": f"{home}/blob/main/CHANGELOG.md",
            "Issues": f"{home}/issues",
        }
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": _make_whole(readme, home)}


def _make_whole(page: str, home: str) -> str:
    """Turn links and pictures of a page of the repository into whole addresses."""
    pictures = re.sub(r'((?:src|srcset)=")(?!https:)', rf"\1{home}/raw/main/", page)
    pictures = re.sub(r"(!\[[^\]]*\]\()(?!https:)", rf"\1{home}/raw/main/", pictures)
    return re.sub(r"(?<!!)(\[[^\]]*\]\()(?!https?:|#)", rf"\1{home}/blob/main/", pictures)
