from monitor.simulator.record import RECORD_LIMIT, Record, ServedAnswer


def test_the_newest_answers_are_kept_and_all_are_counted() -> None:
    record = Record()

    for number in range(RECORD_LIMIT + 2):
        record.add(ServedAnswer(number, "b1", 200))

    assert (len(record.served), record.answers) == (RECORD_LIMIT, RECORD_LIMIT + 2)
    assert (record.served[0].at, record.served[-1].at) == (2, RECORD_LIMIT + 1)


def test_a_fault_has_no_document() -> None:
    assert ServedAnswer(0, "b1", 500, fault="server_error").document is None
    assert ServedAnswer(0, "b1", 200, body=b'{"status": "running"}').document == {
        "status": "running"
    }
