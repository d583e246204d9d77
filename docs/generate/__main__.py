"""Write all regions and generated files anew, and draw what is not filmed: `make docs`."""

from docs.generate.files import FILES
from docs.generate.pages import WRITERS
from docs.generate.pictures import all_pictures
from docs.generate.regions import all_pages, rewrite

for path in all_pages():
    page = path.read_text(encoding="utf-8")
    path.write_text(rewrite(page, WRITERS), encoding="utf-8")

for path, write in FILES.items():
    path.write_text(write(), encoding="utf-8")

for picture, drawn in all_pictures():
    picture.write_text(drawn, encoding="utf-8")
