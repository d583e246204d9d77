"""The published JSON Schema of the events, as a consumer uses it."""

import json
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

from docs.generate.regions import PAGES

SCHEMA: Final = json.loads((PAGES / "events.schema.json").read_text(encoding="utf-8"))
_VALIDATOR: Final = Draft202012Validator(SCHEMA, validate_formats=True)


def complaints(document: Any) -> list[str]:
    """Say what of a body is not as the schema promises."""
    return [f"{error.instance_path}: {error.message}" for error in _VALIDATOR.iter_errors(document)]
