import pytest

from monitor.sinks.kept_text import url_secrets

KEY = "abcdefghij+klmnop/qrstuv"
QUOTED = "abcdefghij%2Bklmnop%2Fqrstuv"


@pytest.mark.parametrize(
    "url",
    [
        f"https://example.com/hook/{QUOTED}",
        f"https://example.com/hook?token={QUOTED}",
        f"https://example.com/hook?{QUOTED}&y=",
        f"https://example.com/hook?a=b&{QUOTED}",
    ],
)
def test_a_key_in_a_url_is_secret_as_it_is_written_and_as_it_reads(url: str) -> None:
    assert {QUOTED, KEY} <= set(url_secrets(url))


def test_plain_words_of_a_url_are_no_secrets() -> None:
    assert "hooks" not in url_secrets("https://example.com/hooks/batches?team=collections")
