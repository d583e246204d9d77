from monitor.core.once import REMIND_AFTER, Once


def test_what_lasts_is_news_when_it_begins_and_every_ten_minutes() -> None:
    once: Once[str] = Once()

    news = [minute for minute in range(25) if once.is_news("disk full", at=minute * 60.0)]

    assert news == [0, 10, 20]
    assert REMIND_AFTER == 600


def test_its_end_is_news_once_and_only_if_it_was() -> None:
    once: Once[int] = Once()
    once.is_news(1, at=0.0)

    assert [once.end(2), once.end(1), once.end(1)] == [False, True, False]
    assert once.is_news(1, at=1.0)


def test_each_key_is_remembered_apart() -> None:
    once: Once[str] = Once()
    once.is_news("a", at=0.0)

    assert once.is_news("b", at=1.0)
    assert ("a" in once, "b" in once, "c" in once) == (True, True, False)
    assert once.is_news("a", at=600.0)
    assert not once.is_news("b", at=600.0)
