from monitor.demo.stage import Curtain


def test_nothing_moves_before_the_curtain_rises_and_after_it_fell() -> None:
    curtain = Curtain()
    before = curtain.elapsed()

    curtain.rise()
    curtain.fall()
    after = curtain.elapsed()

    assert before == 0
    assert curtain.elapsed() == after
