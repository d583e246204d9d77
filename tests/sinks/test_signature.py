import pytest

from monitor.sinks.signature import parse_keys, sign


def test_a_signature_is_that_of_the_specifications_example() -> None:
    keys = parse_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signature = sign(
        keys,
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_no_key_is_no_secret() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        parse_keys(" ")
