"""A batch id: which texts can be one, and which two are the same."""

import re
from typing import Final

ID_LIMIT: Final = 256
_REFUSED: Final = "/\\%"
_UUID: Final = re.compile("[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID_LIKE: Final = re.compile(r"(?=.*[0-9])[A-Za-z0-9_-]+")
_SEGMENT: Final = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,{ID_LIMIT - 1}}}")
# partition, service, region and account, of which some may be empty, then what it names:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_ARN: Final = re.compile(r"arn:[^:/]+:[^:/]+:[^:/]*:[^:/]*:(.+)")


def identity_of(batch_id: str) -> str:
    """Return what two ids of one batch have in common; it is its own identity.

    One UUID is written with and without dashes, in capitals or not, as people paste it (RFC 9562,
    section 4). Any other id compares to the letter.
    """
    if not _UUID.fullmatch(batch_id):
        return batch_id
    return batch_id.replace("-", "").lower()


def check_batch_id(batch_id: str) -> str:
    """Return the id; raise ValueError with the reason when a text cannot be one.

    Ids become one segment of a URL's path: what could leave that segment is refused.
    """
    if not batch_id:
        raise ValueError("a batch id cannot be empty")
    if "/" in batch_id:
        _refuse_address(batch_id)
    if batch_id in {".", ".."}:
        raise ValueError('a batch id cannot be "." or ".."')
    if len(batch_id) > ID_LIMIT:
        raise ValueError(f"a batch id has at most {ID_LIMIT} characters, this one {len(batch_id)}")
    for character in batch_id:
        if character in _REFUSED or character.isspace() or not character.isprintable():
            raise ValueError(f"a batch id cannot hold {_describe(character)}")
    return batch_id


def _refuse_address(text: str) -> None:
    """Raise ValueError for an address that ends in an id, saying what to paste instead."""
    arn = _ARN.fullmatch(text)
    if arn is None and _is_url(text):
        raise ValueError(f"this is a URL, not a batch id: paste only {_likely_id(text)}")
    last = _last_segment(text if arn is None else arn[1])
    if last is not None:
        what = "a path" if arn is None else "an ARN"
        raise ValueError(f"this is {what}, not a batch id: paste only {last!r}")


def _last_segment(path: str) -> str | None:
    """Return the last segment, which need hold no digit; None: this is no path of plain words."""
    path = path.partition("?")[0].partition("#")[0]
    segments = path.strip("/").split("/")
    return segments[-1] if "/" in path and all(map(_SEGMENT.fullmatch, segments)) else None


def _is_url(text: str) -> bool:
    host, slash, _ = text.partition("/")
    return "://" in text or bool(slash and "." in host.strip("."))


def _likely_id(url: str) -> str:
    """Return the segment of the path that looks most like an id; never a query."""
    address = url.partition("://")[2] or url
    path = address.partition("?")[0].partition("#")[0]
    segments = [segment for segment in path.split("/")[1:] if _ID_LIKE.fullmatch(segment)]
    return repr(max(segments, key=len)) if segments else "the id in it"


def _describe(character: str) -> str:
    if character.isspace() and character.isprintable():
        return "spaces"
    if character.isprintable():
        return f'"{character}"'
    return f"control or invisible characters ({character!r})"
