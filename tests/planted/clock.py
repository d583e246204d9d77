"""Bugs that a clock which jumps brings to light."""

from tests.planted import Bug, Edit

CLOCK = (
    "tests/faults/clock/test_clock.py"
    "::test_after_a_step_or_a_sleep_the_next_poll_comes_within_two_intervals"
)

BUGS = (
    Bug(
        name="wall-clock",
        edits=[
            Edit(
                module="monitor.engine.clock",
                old="return self._anchor + timedelta(seconds=_monotonic() - self._since)",
                new="return datetime.now(self._anchor.tzinfo)",
            )
        ],
        test=CLOCK,
        says="after a step of -1 h: no poll within two intervals",
        slow=True,
    ),
    Bug(
        name="sleep-not-counted",
        edits=[
            Edit(
                module="monitor.engine.clock",
                old='boottime = getattr(time, "CLOCK_BOOTTIME", None)',
                new="boottime = None",
            )
        ],
        test=CLOCK,
        says="after 8 h of sleep (a settled batch): no poll within two intervals",
        slow=True,
    ),
    Bug(
        name="no-turn-of-its-own",
        edits=[
            Edit(
                module="monitor.engine.loop",
                old="self.bell.wait(self.every if pause is None else pause)",
                new="self.bell.wait(None)",
            ),
            Edit(
                module="monitor.engine.loop",
                old="self.bell.ring_in(max(SHORTEST_WAIT, wait))",
                new="pass",
            ),
        ],
        test=CLOCK,
        says="after a step of -1 h: no poll within two intervals",
        slow=True,
    ),
    Bug(
        name="dead-scheduler-kept",
        edits=[
            Edit(
                module="monitor.daemon.bells",
                old="        if silent < SILENCE:",
                new="        if silent >= 0:",
            )
        ],
        test=CLOCK,
        says="another scheduler after a step back",
        slow=True,
    ),
    Bug(
        name="missed-rings-listed",
        edits=[
            Edit(
                module="monitor.daemon.bells",
                old="late = previous is not None and now - previous > self.interval",
                new="late = False",
            )
        ],
        test=CLOCK,
        says="after a step of +4800 h: no poll within two intervals",
        slow=True,
    ),
    Bug(
        name="local-time",
        edits=[
            Edit(
                module="monitor.engine.clock",
                old="return self._anchor + timedelta(seconds=_monotonic() - self._since)",
                new=(
                    "time_ = self._anchor + timedelta(seconds=_monotonic() - self._since)\n"
                    "        local = time_.astimezone().replace(tzinfo=None)\n"
                    "        return local.replace(tzinfo=time_.tzinfo)"
                ),
            )
        ],
        test="tests/faults/clock/test_clock.py::test_in_both_dst_nights_polls_go_on",
        says="after the night of 25.10.2026: no poll within two intervals",
        slow=True,
    ),
)
