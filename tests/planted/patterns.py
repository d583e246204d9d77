"""Bugs by which a user's regular expression costs more than its text is long."""

from tests.planted import Bug, Edit

BUGS = (
    Bug(
        name="groups-are-captured",
        edits=[
            Edit(
                module="monitor.core.matching",
                old="_OPTIONS.never_capture = True",
                new="_OPTIONS.never_capture = False",
            )
        ],
        test="tests/core/test_matching.py",
        says="test_what_a_hostile_expression_costs_grows_with_the_value_and_no_faster",
    ),
)
