"""Write all regions of all pages anew: `make docs`."""

from docs.generate.pages import WRITERS
from docs.generate.regions import PAGES, rewrite

for path in sorted(PAGES.glob("*.md")):
    page = path.read_text(encoding="utf-8")
    path.write_text(rewrite(page, WRITERS), encoding="utf-8")
