"""The daemon as a process: what it logs, how it stops, and what a restart tells."""

import asyncio
import faulthandler
import fcntl
import os
import select
import signal
import sys
from pathlib import Path

import psycopg
import pytest

from monitor.daemon.process import run
from monitor.engine.delivering.relay import Relay
from monitor.simulator.bolna import bolna_document
from tests.conftest import Until
from tests.daemon import endings
from tests.daemon.conftest import MakeProcess
from tests.engine.rig import Rig
from tests.faults.fleet.gate import Pause
from tests.patient import HANG
from tests.patient import VARIABLE as UNANSWERED
from tests.programs import PIPE, start
from tests.simulator.faults import Fault

connect = psycopg.AsyncConnection.connect


def declare(rig: Rig, *names: str) -> None:
    rig.tail = "".join(f'[[batches]]\nsource = "bolna"\nid = "{name}"\n' for name in names)


async def test_ctrl_c_stops_it_as_cleanly_as_sigterm(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    rig.show("b1")
    declare(rig, "b1")
    daemon = process(rig)
    await daemon.start()
    await until(lambda: rig.crm.types == ["batch.first_seen"])

    code = await daemon.stop(signal.SIGINT)

    assert code == 0
    events = [line["event"] for line in daemon.lines()]
    assert events == ["daemon.started", "daemon.stopping", "daemon.stopped"]


async def test_it_stops_while_a_provider_and_a_receiver_hang_and_gives_back_what_it_claimed(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    rig.polling = 'interval = "50ms"\ndeadline = "10m"'
    rig.receiver_more = 'timeout = "60s"'
    rig.crm.hang()
    rig.show("b1", "b2", "b3")
    declare(rig, "b1", "b2", "b3")
    daemon = process(rig, {UNANSWERED: "1"})
    await daemon.start()
    await until(lambda: rig.crm.in_flight == 3)
    rig.bolna.fault(Fault.black_hole(3600))
    await until(lambda: [s.fault for s in rig.bolna.served].count("black_hole") == 3)

    code = await daemon.stop()

    assert code == 0
    rig.crm.release()
    await rig.build()
    for table in ("batches", "deliveries"):
        claimed = f"SELECT count(*) FROM {table} WHERE lease_owner IS NOT NULL"  # noqa: S608 (ours)
        assert await rig.value(claimed) == 0
    await rig.database.close()


async def test_a_clean_restart_sends_nothing_again_and_loses_nothing(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    names = [f"b{n}" for n in range(30)]
    declare(rig, *names)
    sent = 0
    for turn in range(2):
        rig.show(*names, execution_status={"ringing": 7 + turn})
        daemon = process(rig)
        await daemon.start()
        sent += 15  # amid its work
        await until(lambda n=sent: len(rig.crm.events) >= n)
        assert await daemon.stop() == 0
        sent = len(rig.crm.events)
    daemon = process(rig)
    await daemon.start()
    await until(
        lambda: all(
            rig.crm.of(n) and rig.crm.of(n)[-1]["data"]["counts"] == {"ringing": 8} for n in names
        ),
    )
    await daemon.stop()

    ids = [event["id"] for event in rig.crm.events]
    assert len(ids) == len(set(ids)) == len(rig.crm.arrived)
    for name in names:
        told = [event["data"]["sequence"] for event in rig.crm.of(name)]
        assert told == list(range(1, len(told) + 1))


async def test_a_second_daemon_on_one_file_is_refused_and_the_first_goes_on(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    first, second = process(rig), process(rig)
    await first.start()
    await until(first.started)

    await second.start()
    await until(lambda: "another `monitor run` (pid " in second.output)

    assert await second.end() == 1
    assert "Traceback" not in second.output
    assert await first.stop() == 0


async def test_nothing_is_logged_per_poll_and_a_key_never(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    rig.show("b1", "b2")
    declare(rig, "b1", "b2", "none")
    daemon = process(rig)
    await daemon.start()
    await until(lambda: rig.polls("b1") > 20)
    await daemon.stop()

    events = [line["event"] for line in daemon.lines()]
    assert sorted(events) == [
        "daemon.started",
        "daemon.stopped",
        "daemon.stopping",
        "poll.failing",
    ]
    (started,) = daemon.lines("daemon.started")
    assert started["listen"].startswith("127.0.0.1:")
    assert not started["listen"].endswith(":0")
    for secret in ("the key", "whsec_"):
        assert secret not in daemon.output


async def test_a_taken_port_stops_the_start_with_the_reason(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    port = rig.bolna.base_url.rpartition(":")[2]
    daemon = process(rig)
    config = rig.folder / "config.toml"
    config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    await daemon.start()
    await until(lambda: "cannot listen on" in daemon.output)

    assert await daemon.end() == 1
    assert "Traceback" not in daemon.output


async def test_an_output_that_nobody_empties_stops_nothing(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    """As a terminal in copy mode, or after Ctrl-S, or a collector that hangs."""
    rig.show("b1")
    declare(rig, "b1")
    rig.polling = 'interval = "50ms"'
    daemon = process(rig, {"MONITOR_DATABASE_URL": rig.url})
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    await daemon.start(output=writing)
    await until(lambda: rig.crm.types == ["batch.first_seen"])
    while select.select((), (writing,), (), 0)[1]:  # each reload is a line
        daemon.tell(signal.SIGHUP)
        await asyncio.sleep(0.01)

    for batch in ("b2", "b3"):
        rig.show(batch)
        declare(rig, "b1", batch)
        rig.write()
        daemon.tell(signal.SIGHUP)
        await until(lambda batch=batch: rig.crm.of(batch) != [])

    assert await daemon.stop() == 0
    os.close(reading)
    os.close(writing)


async def test_it_polls_no_more_at_once_than_it_may_have_open_files(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    names = [f"b{number}" for number in range(60)]
    rig.show(*names)
    declare(rig, *names)
    rig.polling = 'deadline = "10m"'
    rig.bolna.fault(Pause(0.2).fault())  # each poll keeps its connection
    daemon = process(rig)
    await daemon.start(open_files=80)

    await until(lambda: len(rig.crm.events) == len(names))

    assert {event["type"] for event in rig.crm.events} == {"batch.first_seen"}
    assert "4 polls at once are possible" in daemon.lines("config.doubtful")[0]["reason"]
    assert daemon.lines("descriptors.exhausted") == daemon.lines("poll.failing") == []
    assert await daemon.stop() == 0


async def test_run_migrates_a_new_file_and_gives_back_what_was_claimed(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases of a daemon that was killed are nobody's any more: the file's lock says so."""
    monkeypatch.setattr("monitor.daemon.process.LONGEST_END", HANG)
    rig.show("b1")
    await rig.build()
    await rig.add("b1")
    await rig.run(
        "UPDATE batches SET due_at = next_poll_at, lease_owner = 'killed',"
        " next_poll_at = 99999999999999"
    )
    await rig.database.close()
    config = rig.daemon.config

    daemon = asyncio.create_task(run(config))
    await until(lambda: rig.crm.types == ["batch.first_seen"])
    os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(daemon, HANG)
    faulthandler.cancel_dump_traceback_later()  # the process that it was to end is ours
    signal.alarm(0)


async def test_a_loop_that_crashes_begins_anew_and_tells_it(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Relay.turn
    crashes = 1

    async def crash(self: Relay) -> None:
        nonlocal crashes
        if crashes:
            crashes -= 1
            raise ZeroDivisionError
        await work(self)

    monkeypatch.setattr(Relay, "turn", crash)
    rig.crm.script.append(500)
    rig.bolna.put("b1", bolna_document("b1"))
    await rig.start()
    await rig.add("b1")
    await until(lambda: bool(rig.crm.arrived))
    await rig.advance(until, seconds=6)

    await until(lambda: rig.crm.types == ["batch.first_seen"])
    assert "loop.crashed" in capsys.readouterr().out


async def run_ending(*arguments: str) -> tuple[int, str]:
    """Run a program whose end hangs; return its exit code and its standard error."""
    program = await start(*arguments, module=endings.__name__, stderr=PIPE)
    try:
        _, errors = await asyncio.wait_for(program.communicate(), HANG)
    finally:
        program.kill()
    return await program.wait(), errors.decode()


async def test_a_name_look_up_that_hangs_does_not_hold_the_end_up() -> None:
    """The event loop and Python itself would wait for its thread, minutes if need be."""
    assert await run_ending("look_up") == (0, "")


async def test_an_end_that_hangs_is_forced_and_shows_where_it_hung(rig: Rig) -> None:
    code, errors = await run_ending("hang", str(rig.write()))

    assert code == 1
    assert "Timeout (0:00:00.500000)!" in errors


async def test_an_end_that_hangs_is_forced_even_where_nobody_takes_its_tracebacks(
    rig: Rig,
) -> None:
    code, _ = await run_ending("hang_unread", str(rig.write()))

    assert code == -signal.SIGALRM


async def test_a_second_daemon_of_one_name_on_one_postgres_is_refused(
    rig: Rig, process: MakeProcess, until: Until, postgres_url: str
) -> None:
    """It would give back the other's claims, and send twice. It waits first: ours may be dying."""
    rig.url = postgres_url
    first, second, other = (
        process(rig, {"MONITOR_INSTANCE": name}) for name in ("one", "one", "two")
    )
    await first.start()
    await until(first.started)

    await second.start()
    await other.start()
    await until(lambda: "another daemon named 'one' is at work" in second.output)
    await until(other.started)
    assert not second.started()
    assert await first.stop() == 0
    await until(second.started)

    for daemon in (second, other):
        assert await daemon.stop() == 0


async def test_a_start_waits_for_a_row_that_a_daemon_which_stands_still_keeps_to_itself(
    tmp_path: Path, postgres_url: str, process: MakeProcess, until: Until
) -> None:
    async with Rig(tmp_path, postgres_url) as rig, await connect(postgres_url) as other:
        await rig.build()  # registers the sources
        await rig.database.close()
        await other.execute("SELECT 1 FROM sources FOR UPDATE")
        daemon = process(rig)
        await daemon.start()
        await until(lambda: daemon.lines("database.waiting") != [])

        await other.commit()
        await until(daemon.started)

        assert "lock timeout" in daemon.lines("database.waiting")[0]["reason"]


async def test_after_a_restart_with_the_clock_put_back_polls_go_on(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    rig.polling = 'interval = "200ms"\ndeadline = "60s"'
    rig.show("b1")
    declare(rig, "b1")
    await rig.build()
    await rig.database.close()
    rig.clock.advance(hours=1)
    await rig.start()
    await until(lambda: rig.polls("b1") > 1)
    await rig.stop()
    polls = rig.polls("b1")

    daemon = process(rig)
    await daemon.start()
    await until(lambda: rig.polls("b1") > polls + 3)

    (stepped,) = daemon.lines("clock.stepped")
    assert -3600 <= stepped["seconds"] < -1800  # it runs on between the two starts
    assert await daemon.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_sighup_during_the_start_ends_nothing_and_is_obeyed_after_it(
    rig: Rig, process: MakeProcess, until: Until
) -> None:
    daemon = process(rig)
    await daemon.start()

    await until(lambda: minds_hangups(daemon.pid))
    daemon.tell(signal.SIGHUP)

    await until(lambda: daemon.lines("config.reloaded") != [])
    assert await daemon.stop() == 0


def minds_hangups(pid: int) -> bool:
    """Tell whether a process blocks or catches SIGHUP: Python itself takes a while to start."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [
        line.split()[1] for line in status.splitlines() if line.startswith(("SigBlk", "SigCgt"))
    ]
    return any(int(mask, 16) & 1 << (signal.SIGHUP - 1) for mask in masks)
