"""What the pages say is what the code does; `make docs` writes the parts that a program writes."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt  # rich brings it

from docs.generate.bodies import pretty
from docs.generate.configuration import sentence_on, tables
from docs.generate.examples import write_example
from docs.generate.files import FILES
from docs.generate.lives import told
from docs.generate.pages import WRITERS
from docs.generate.pictures import name_of
from docs.generate.regions import PAGES, all_pages, names_in, rewrite
from monitor.config.load import load
from monitor.core.event import MATCHER_NAMES, EventType
from monitor.core.failure import FailureKind
from monitor.core.matcher_text import parse_matchers
from monitor.engine.metrics import Metrics
from monitor.setting_types import Settings, parse_duration
from tests.docs.log_events import logged

ROOT = PAGES.parent
PATHS = all_pages()
MARKDOWN = [
    *ROOT.glob("*.md"),
    *(file for room in ("docs", "deploy", "tests") for file in (ROOT / room).rglob("*.md")),
]
every_page = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
KEYS = [(settings, key) for _, settings in tables() for key in settings.model_fields]


def page(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def part(name: str, heading: str) -> str:
    """Return what stands under a heading, up to the next of its kind."""
    return page(name).split(f"\n{heading}\n")[1].split(f"\n{heading.split()[0]} ")[0]


def cells(text: str, column: int = 0) -> list[str]:
    """Return one column of the tables in a text, without their heads."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [row[column] for row in rows if len(row) > column and not row[0].startswith("-")]


def quoted(texts: list[str]) -> set[str]:
    """Return all that stands in backticks."""
    return {word for text in texts for word in re.findall(r"`([^`]+)`", text)}


@every_page
def test_what_a_program_writes_is_as_it_writes_it_now(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == rewrite(text, WRITERS), "run make docs"


def test_every_region_that_can_be_written_stands_on_one_page() -> None:
    assert sorted(WRITERS) == sorted(
        region for path in PATHS for region in names_in(path.read_text(encoding="utf-8"))
    )


@every_page
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(
        r'(?:src|srcset|href)="([^"]+)"', text
    )
    for target in links:
        file, _, anchor = target.partition("#")
        if file.startswith("https:"):
            continue
        found = (path.parent / file).resolve() if file else path
        assert found.is_relative_to(ROOT)
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_shows_as_it_was_meant(path: Path) -> None:
    """As GitHub shows it: no text that turns into a list, no cell that turns into two."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for token in MarkdownIt("commonmark").enable("table").parse("\n".join(lines)):
        if token.map is None:
            continue
        begin, end = token.map
        if token.type.endswith("list_open"):
            before = lines[begin - 1]
            assert not before or before.startswith("#") or before.endswith(":"), lines[begin]
        elif token.type == "table_open":
            (columns,) = {len(re.findall(r"(?<!\\)\|", line)) for line in lines[begin:end]}
            assert columns >= 3


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("settings", "key"), KEYS, ids=lambda v: getattr(v, "__name__", v))
def test_every_key_says_what_it_does(settings: type[Settings], key: str) -> None:
    assert re.fullmatch(r"[^\n]+\.", sentence_on(settings, key))


def test_the_examples_of_the_tables_are_together_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\n".join(write_example(title) for title, _ in tables()), encoding="utf-8")

    config = load(path)

    assert list(config.sources) == ["bolna-prod", "vogent", "acme"]
    assert [route.receiver for route in config.routes] == ["ops", "crm"]


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_default_in_brackets_after_its_key_is_the_default(path: Path) -> None:
    """`stall_after` (15 minutes): a duration that a page says beside a key of the config."""
    said = re.findall(
        r"`(\w+)`\s+\((\d+)\s+([a-z]+)[;)]", path.read_text(encoding="utf-8")
    )  # "min" and "minutes" are "m" in the file
    for key, number, unit in said:
        assert parse_duration(f"{number}{unit[0]}") in defaults_of(key), (key, number, unit)


def defaults_of(key: str) -> list[object]:
    return [
        settings.model_fields[key].default
        for _, settings in tables()
        if key in settings.model_fields
    ]


@pytest.mark.parametrize("event_type", EventType)
def test_every_type_of_event_has_its_section_and_its_picture(event_type: EventType) -> None:
    section = part("events.md", f"### {event_type}")

    assert "**Do:**" in section
    assert pretty(told()[event_type]) in section
    assert f"pictures/{name_of(event_type)}.svg" in page("slack.md")


def test_every_type_of_event_is_in_the_list() -> None:
    listed = quoted(cells(page("events.md").split("\n## ")[0]))

    for event_type in EventType:
        assert event_type in listed or f".{event_type.split('.')[1]}" in listed


def test_every_field_of_a_body_is_described_and_no_other() -> None:
    documents = told().values()
    described = quoted(cells(part("events.md", "## The body")))

    top = {key for document in documents for key in document}
    inner = {key for document in documents for key in document["data"]}
    told_fields = (top | inner) - {"data", "source", "receiver"} | {"source", "test", "removed"}
    assert described - {"data"} == told_fields


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_that_a_program_writes_is_as_it_writes_it_now(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path](), "run make docs"


def test_every_kind_of_failure_is_described() -> None:
    kinds = quoted(cells(part("events.md", "### source.failing")))

    assert kinds - {"error.kind"} == set(FailureKind)


def test_every_name_of_matchers_is_described_and_every_example_is_one() -> None:
    matchers = part("events.md", "## Matchers")

    assert set(MATCHER_NAMES) <= quoted(cells(matchers))
    for example in re.findall(r"`([a-z]+ [=!]~? [^`]+)`", matchers):
        parse_matchers(example.replace(r"\|", "|"))


def test_every_event_of_the_log_is_described_with_its_level() -> None:
    section = part("operations.md", "## Log")
    described: dict[str, set[str]] = {}
    for names, levels in zip(cells(section), cells(section, 1), strict=True):
        found = re.findall(r"`([a-z_.]+)`", names)
        several = levels.split(", ") if ", " in levels else [levels] * len(found)
        described |= {name: {level} for name, level in zip(found, several, strict=True)}

    assert described == logged()


def test_every_metric_of_the_alert_rules_exists() -> None:
    samples = {metric.name for metric in Metrics().registry.collect()}
    used = re.findall(r"\b(monitor_[a-z_]+)", part("operations.md", "### Alert rules"))

    assert used
    for name in used:
        assert re.sub("_(total|bucket)$", "", name) in samples
