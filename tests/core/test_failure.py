import pytest

from monitor.core.failure import FailureKind, Matter, kind_of_status, matter_of


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (301, FailureKind.REDIRECT),
        (400, FailureKind.REFUSED),
        (401, FailureKind.UNAUTHORIZED),
        (403, FailureKind.FORBIDDEN),
        (404, FailureKind.NOT_FOUND),
        (408, FailureKind.TIMEOUT),
        (410, FailureKind.NOT_FOUND),
        (418, FailureKind.UNEXPECTED_STATUS),
        (422, FailureKind.REFUSED),
        (429, FailureKind.RATE_LIMITED),
        (503, FailureKind.SERVER_ERROR),
    ],
)
def test_a_status_that_brings_no_document_means(code: int, kind: FailureKind) -> None:
    assert kind_of_status(code) is kind


def test_whose_matter_each_kind_is() -> None:
    of = {matter: {kind for kind in FailureKind if matter_of(kind) is matter} for matter in Matter}

    assert of[Matter.BATCH] == {"not_found", "refused", "unexpected_status", "too_large"}
    assert of[Matter.KEY] == {"unauthorized", "key_missing"}
    assert of[Matter.EITHER] == {"forbidden"}
    assert of[Matter.OURS] == {"descriptors", "room"}
    assert {"timeout", "rate_limited", "server_error", "invalid_body"} < of[Matter.PASSING]
