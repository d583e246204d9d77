import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.batch_id import check_batch_id, identity_of


@pytest.mark.parametrize(
    "batch_id",
    [
        "3c90c3cc0d444b5088888dd25736052a",
        "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "...",
        "a.b",
        "a:b?c#d",
        "arn:aws:sns:us-east-1:123456789012:topic",
        "x" * 256,
        "ß",
    ],
)
def test_what_stays_in_one_segment_of_a_path_is_an_id(batch_id: str) -> None:
    check_batch_id(batch_id)


@pytest.mark.parametrize(
    ("batch_id", "reason"),
    [
        ("", "cannot be empty"),
        (".", 'cannot be "." or ".."'),
        ("..", 'cannot be "." or ".."'),
        ("/", 'cannot hold "/"'),
        ("../b", 'cannot hold "/"'),
        ("a/..", 'cannot hold "/"'),
        ("a//b", 'cannot hold "/"'),
        ("a/b c", 'cannot hold "/"'),
        ("a?b/c", 'cannot hold "/"'),
        ("arn:aws:bedrock:us-east-1:1:job/a b", 'cannot hold "/"'),
        ("a\\b", 'cannot hold "\\"'),
        ("a%2Fb", 'cannot hold "%"'),
        ("a b", "cannot hold spaces"),
        (" a", "cannot hold spaces"),
        ("a\n", "cannot hold control or invisible characters"),
        ("a\x00", "cannot hold control or invisible characters"),
        ("a\u00a0b", "cannot hold control or invisible characters"),
        ("a\u200bb", "cannot hold control or invisible characters"),
        ("a\u202eb", "cannot hold control or invisible characters"),
        ("x" * 257, "at most 256 characters, this one 257"),
    ],
)
def test_what_could_leave_the_segment_is_refused_with_the_reason(
    batch_id: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        check_batch_id(batch_id)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://platform.bolna.ai/batches/3c90c3cc0d444b5088888dd25736052a", "'3c90c3cc0d44"),
        ("https://api.bolna.ai/batches/3c90c3cc0d444b50/executions?page=2#x", "'3c90c3cc0d444b50'"),
        ("app.vogent.ai/dial-jobs/3c90c3cc-0d44-4b50-8888-8dd25736052a", "'3c90c3cc-0d44-4b50"),
        ("https://api.bolna.ai", "the id in it"),
        ("https://api.bolna.ai/?batch=secret", "the id in it"),
    ],
)
def test_a_pasted_url_is_refused_with_what_to_paste_instead(url: str, advice: str) -> None:
    with pytest.raises(ValueError, match="this is a URL, not a batch id: paste only") as refusal:
        check_batch_id(url)

    assert advice in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "what", "advice"),
    [
        (
            "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abc123def456",
            "an ARN",
            "abc123def456",
        ),
        ("arn:aws-us-gov:s3:::a.bucket/jobs/nightly", "an ARN", "nightly"),
        ("batches/1234567891", "a path", "1234567891"),
        ("/v1/batches/batch_abc", "a path", "batch_abc"),
        ("/v1.0/batches/batch_abc/?key=secret", "a path", "batch_abc"),
        ("/batch-1#secret", "a path", "batch-1"),
        ("batch-1/", "a path", "batch-1"),
        ("a/b", "a path", "b"),
    ],
)
def test_a_pasted_arn_or_path_is_refused_with_its_last_segment_to_paste_instead(
    text: str, what: str, advice: str
) -> None:
    with pytest.raises(ValueError, match=f"^this is {what}, not a batch id") as refusal:
        check_batch_id(text)

    assert str(refusal.value) == f"this is {what}, not a batch id: paste only {advice!r}"
    check_batch_id(advice)


@given(st.text())
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        check_batch_id(text)
    except ValueError:
        return

    assert 1 <= len(text) <= 256
    assert not set(text) & set("/\\% \t\r\n")


BARE = "3c90c3cc0d444b5088888dd25736052a"


@pytest.mark.parametrize(
    "batch_id",
    [
        BARE,
        BARE.upper(),
        "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "3C90C3CC-0d44-4B50-8888-8DD25736052A",
    ],
)
def test_one_uuid_is_one_identity_however_it_is_written(batch_id: str) -> None:
    assert identity_of(batch_id) == BARE
    assert identity_of(identity_of(batch_id)) == BARE


@pytest.mark.parametrize(
    "batch_id",
    [
        "Batch-A",
        "batch-a",
        BARE[1:],
        f"{BARE}0",
        f"{BARE[:-1]}g",
        f"{BARE[:16]}-{BARE[16:]}",
        f"{BARE}\n",
        "٣" * 32,
        "",
    ],
)
def test_any_other_id_compares_to_the_letter(batch_id: str) -> None:
    assert identity_of(batch_id) == batch_id
