"""The budget of a workspace as one client sees it (rule T4): it comes from headers, and no limit is built in."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from metarouter_intercom._delivery.rate_limit import RateLimit

_LIMIT, _REMAINING, _RESET = "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"


def _headers(limit, remaining, reset=None, date=None):
    # The header says what was left before the request that it answers.
    headers = {_LIMIT: str(limit), _REMAINING: str(remaining + 1)}
    if reset is not None:
        headers[_RESET] = str(reset)
    if date is not None:
        headers["date"] = formatdate(date, usegmt=True)
    return headers


def _after_one_answer(limit=100, remaining=100, reset=1012, *, now=1000.0, share=1.0, date=None):
    """Return a budget that has seen one answer."""
    rate = RateLimit(share=share)
    rate.before(now, 0.0)
    rate.after(_headers(limit, remaining, reset, date), 200, now)
    return rate


def _after_a_window(others=0, *, share=1.0, answers=30):
    """Return a budget of 200 that has seen a window with so many other clients of the same speed, and one answer of the next."""
    rate = RateLimit(share=share)
    for answered in range(answers):
        rate.before(1001.0, 0.0)
        rate.after(_headers(200, 200 - (1 + others) * (answered + 1), 1012), 200, 1001.0)
    rate.before(1012.0, 0.0)
    rate.after(_headers(200, 199, 1022), 200, 1012.0)
    return rate


def _send_all(rate, now, jitter=0.0):
    """Send and answer one request after another, without new headers, until the budget says wait; return how many were sent."""
    sent = 0
    while rate.before(now, jitter) == 0.0:
        sent += 1
        rate.after({}, 200, now)
        assert sent < 10_000
    return sent


def test_nothing_is_known_at_first():
    """Before the first answer there is no budget, so one request finds out: the limit may be 1."""
    rate = RateLimit(share=1.0)

    assert rate.budget() == (None, None, None)
    assert [rate.before(0.0, 0.0) for _ in range(3)] == [0.0, 0.01, 0.01]


def test_a_fresh_window_begins_with_the_whole_limit():
    """The limit of the last window is the next one's, until an answer says what others have used of it."""
    rate = _after_one_answer(100, 0, 1012)

    assert [rate.before(1012.0, 0.0) for _ in range(8)] == [0.0] * 8
    rate.after(_headers(100, 70, 1022), 200, 1012.1)
    assert rate.budget() == (100, 63, 1022.0)


def test_an_answer_of_the_last_window_takes_nothing_from_a_fresh_one():
    """A request that was on its way at the reset is answered with the numbers of the window that has ended."""
    rate = _after_one_answer(100, 40, 1012)
    rate.before(1011.9, 0.0)
    rate.before(1012.0, 0.0)

    rate.after(_headers(100, 39, 1012), 200, 1012.1)

    assert rate.budget()[:2] == (100, 99)


def test_a_window_that_lasts_longer_than_our_clock_says_is_believed():
    """What a request of the fresh window is told about the old one is true: Intercom has not begun the new one yet."""
    rate = _after_one_answer(100, 5, 1012)
    rate.before(1012.0, 0.0)

    rate.after(_headers(100, 0, 1012), 200, 1012.1)

    assert rate.before(1012.1, 0.0) == pytest.approx(0.5)


def test_an_answer_that_was_overtaken_gives_its_request_back():
    """The lowest number is the newest: a request answered with a higher one is counted in it already."""
    rate = _after_a_window()
    for _ in range(3):
        rate.before(1013.0, 0.0)

    rate.after(_headers(200, 196, 1022), 200, 1013.0)
    assert rate.budget()[1] == 194
    rate.after(_headers(200, 198, 1022), 200, 1013.0)
    rate.after(_headers(200, 197, 1022), 200, 1013.0)

    assert rate.budget()[1] == 196


def test_others_share_of_the_limit_is_left_alone():
    """``rate_limit_share`` leaves room for others."""
    assert _send_all(_after_a_window(share=0.5), 1013.0) == 99


def test_a_client_alone_uses_all():
    """A client that has seen nobody else for a window leaves nothing."""
    assert _send_all(_after_a_window(), 1013.0) == 199


def test_room_is_left_for_others():
    """With three other clients of the same speed, this client leaves one request for each of them, and one for an error."""
    assert _send_all(_after_a_window(others=3), 1013.0) == 199 - 4 + 1 - 1


def test_the_end_of_a_shared_budget_is_used_slowly():
    """The closer the end, the fewer requests are on their way: three others may have as many, which no answer has shown."""
    rate = _after_a_window(others=3)
    rate.before(1013.0, 0.0)
    rate.after(_headers(200, 46, 1022), 200, 1013.0)

    assert [rate.before(1013.0, 0.0) for _ in range(7)] == [0.0] * 6 + [0.01]


def test_as_long_as_nothing_is_known_others_may_be_there():
    """A client that has just begun has few requests on their way when the budget is small, for three others may begin as well."""
    rate = _after_one_answer(100, 67, 1012)

    assert [rate.before(1001.0, 0.0) for _ in range(10)] == [0.0] * 8 + [0.01] * 2


def test_an_answer_sets_the_budget():
    """Limit, remaining and reset are those of Intercom's headers."""
    rate = _after_one_answer(83, 82, 1012)

    assert rate.budget() == (83, 82, 1012.0)


def test_sending_stops_when_the_budget_is_gone_and_goes_on_after_the_reset():
    """No request goes out without budget; after the reset the next ones do, spread by the jitter."""
    rate = _after_one_answer(10, 3, 1012)

    assert _send_all(rate, 1001.0) == 3
    assert rate.before(1001.0, 1.0) == pytest.approx(11.05)
    assert rate.before(1011.5, 0.0) == pytest.approx(0.5)
    assert rate.before(1012.0, 0.0) == 0.0


def test_requests_on_their_way_are_counted_against_the_remaining():
    """An answer says what is left after it, and does not include requests that are already on their way."""
    rate = _after_one_answer(100, 50, 1012)
    for _ in range(3):
        rate.before(1001.0, 0.0)

    rate.after(_headers(100, 48, 1012), 200, 1001.0)

    assert rate.budget()[1] == 46


def test_a_late_answer_of_the_last_window_changes_nothing():
    """Some answers carry the headers of the window before (contract, section 2)."""
    rate = _after_one_answer(100, 90, 1022)

    rate.after(_headers(100, 1, 1012), 200, 1011.0)

    assert rate.budget() == (100, 90, 1022.0)


# --- headers that are missing, garbled or wrong -----------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {_LIMIT: "many", _REMAINING: "some", _RESET: "later"},
        {_LIMIT: "100"},
        {_LIMIT: "\u00b2", _REMAINING: "\u00b2", _RESET: "\u00b2"},
        {_LIMIT: "9" * 5000, _REMAINING: "9" * 5000},
        {_LIMIT: "100.5", _REMAINING: "-3"},
    ],
)
def test_without_usable_headers_nothing_is_delayed(headers):
    """A server that sends no budget delays no request."""
    rate = RateLimit(share=1.0)
    rate.before(0.0, 0.0)

    rate.after(headers, 200, 0.0)

    assert rate.budget() == (None, None, None)
    assert [rate.before(1.0, 0.0) for _ in range(8)] == [0.0] * 8


def test_a_spent_budget_without_a_reset_lets_one_request_at_a_time_ask():
    """Without a reset nobody knows when the window ends, so one request at a time finds out."""
    rate = _after_one_answer(100, 0, None)

    assert rate.before(1000.0, 0.0) == 0.0
    assert rate.before(1000.0, 0.0) == 0.01
    rate.after(_headers(100, 0), 200, 1000.2)
    assert rate.before(1000.2, 0.0) == 0.0


def test_failures_at_the_beginning_of_a_window_do_not_stop_the_client():
    """The first requests of a window may all fail; the next one goes out all the same."""
    rate = _after_one_answer(100, 50, 1012)
    for second in range(6):
        assert rate.before(1020.0 + second, 0.0) == 0.0
        rate.after({}, 0, 1020.0 + second)

    assert rate.before(1030.0, 0.0) == 0.0
    rate.after(_headers(100, 99, 1042), 200, 1030.0)
    assert rate.budget() == (100, 99, 1042.0)


def test_failures_in_a_window_do_not_stop_the_client():
    """Intercom may or may not have counted requests without an answer; after the reset the client continues."""
    rate = _after_one_answer(10, 2, 1012)
    for _ in range(2):
        assert rate.before(1001.0, 0.0) == 0.0
        rate.after({}, 0, 1001.0)

    assert rate.before(1001.0, 0.0) == pytest.approx(11.0)
    assert rate.before(1012.0, 0.0) == 0.0


def test_a_reset_in_the_past_delays_nothing():
    """A reset in the past does not say when the budget comes back."""
    rate = _after_one_answer(100, 0, 900)

    assert rate.before(1000.0, 0.0) == 0.0


@pytest.mark.parametrize("reset", [1_000_000, 1_000_000_000_000, 10**17])
def test_a_reset_far_ahead_stops_the_client_for_two_minutes_at_most(reset):
    """A wrong header, for instance in milliseconds, must not stop a client for a day."""
    rate = _after_one_answer(100, 0, reset)

    assert rate.before(1000.0, 0.0) == pytest.approx(120.0)
    assert rate.before(1120.0, 0.0) == 0.0


@pytest.mark.parametrize("off", [-3600.0, -30.0, 30.0, 3600.0])
def test_a_wrong_clock_is_corrected_by_the_date_header(off):
    """The reset is in Intercom's time; the ``Date`` header shows how far our clock differs."""
    rate = _after_one_answer(100, 0, 10_012, now=10_000.0 + off, date=10_000)

    assert rate.before(10_000.0 + off, 0.0) == pytest.approx(12.0)


def test_a_small_difference_of_the_clocks_is_ignored():
    """The header has whole seconds and an answer takes time, so less than two seconds are not corrected."""
    rate = _after_one_answer(100, 0, 1012, now=1001.5, date=1000)

    assert rate.before(1001.5, 0.0) == pytest.approx(10.5)


@pytest.mark.parametrize("date", ["yesterday", "", "Thu, 99 Jan 1970 00:16:40 GMT"])
def test_an_unreadable_date_corrects_nothing(date):
    """The last known difference of the clocks stays."""
    rate = _after_one_answer(100, 50, 1012, now=1030.0, date=1000)

    rate.before(1031.0, 0.0)
    rate.after({**_headers(100, 0, 1012), "date": date}, 200, 1031.0)

    assert rate.before(1031.0, 0.0) == pytest.approx(11.0)


# --- a proxy that asks for a pause --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("99999", 120.0),
        (formatdate(1045, usegmt=True), 45.0),
        (formatdate(900, usegmt=True), 0.0),
        (formatdate(10**9, usegmt=True), 120.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("", 0.0),
    ],
)
@pytest.mark.parametrize("status", [0, 408, 503])
def test_a_pause_that_is_asked_for_is_kept(text, seconds, status):
    """T6: ``Retry-After`` is a number of seconds or an instant; it is honoured for two minutes at most."""
    rate = _after_one_answer(reset=2000)
    rate.before(1000.0, 0.0)
    rate.after({"retry-after": text}, status, 1000.0)

    assert rate.before(1000.0, 0.0) == seconds


def test_a_pause_until_an_instant_follows_the_servers_clock():
    """T6, W7: the instant is meant in the time of whoever sent it."""
    rate = RateLimit(share=1.0)
    rate.after(
        {"date": formatdate(1000, usegmt=True), "retry-after": formatdate(1010, usegmt=True)}, 503, 4600.0
    )

    assert rate.before(4600.0, 0.0) == 10.0


def test_a_success_asks_for_no_pause():
    """T6: what took effect needs no pause."""
    rate = _after_one_answer(reset=2000)
    rate.after({"retry-after": "30"}, 200, 1000.0)

    assert rate.before(1000.0, 0.0) == 0.0


# --- 429 --------------------------------------------------------------------------------------------------


def test_a_429_stops_everyone_until_the_reset():
    """A refusal ends the budget, whatever was left; after the reset the clients start spread over time."""
    rate = _after_one_answer(100, 50, 1012)
    rate.before(1001.0, 0.0)

    rate.after(_headers(100, 0, 1012), 429, 1001.0)

    assert rate.before(1001.0, 1.0) == pytest.approx(11.05)
    assert rate.before(1012.0, 0.0) == 0.0


def test_a_429_with_only_a_reset_is_corrected_by_its_date():
    """The clocks are compared even if other headers are missing."""
    rate = RateLimit(share=1.0)
    rate.before(4600.0, 0.0)

    rate.after({_RESET: "1010", "date": formatdate(1000, usegmt=True)}, 429, 4600.0)

    assert rate.before(4600.0, 0.0) == pytest.approx(10.0)


def test_429s_without_headers_wait_longer_each_time():
    """Without a reset the wait doubles from a second to a minute."""
    rate = RateLimit(share=1.0)
    now, waits = 0.0, []
    for _ in range(8):
        assert rate.before(now, 0.0) == 0.0
        rate.after({}, 429, now)
        waits.append(rate.before(now, 0.0))
        now += waits[-1]

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_refusals_of_one_moment_count_once():
    """Requests that were on their way together are refused together; that counts as one refusal."""
    rate = RateLimit(share=1.0)
    for _ in range(4):
        rate.before(0.0, 0.0)
    for _ in range(4):
        rate.after({}, 429, 0.0)

    assert rate.before(0.0, 0.0) == 1.0


def test_another_answer_ends_the_series_of_refusals():
    """After a success the next 429 is a first one."""
    rate = RateLimit(share=1.0)
    rate.after({}, 429, 0.0)
    rate.after({}, 429, 1.0)
    rate.after({}, 200, 3.0)

    rate.after({}, 429, 4.0)

    assert rate.before(4.0, 0.0) == 1.0


def test_a_429_whose_reset_has_passed_waits_all_the_same():
    """A reset in the past cannot be the end of the refusal."""
    rate = RateLimit(share=1.0)

    rate.after(_headers(100, 0, 900), 429, 1000.0)

    assert rate.before(1000.0, 0.0) == 1.0


def test_a_429_far_ahead_stops_the_client_for_two_minutes_at_most():
    """A wrong reset on a refusal is bounded too."""
    rate = RateLimit(share=1.0)

    rate.after(_headers(100, 0, 10**12), 429, 1000.0)

    assert rate.before(1000.0, 0.0) == pytest.approx(120.0)


def test_after_a_429_one_request_finds_out():
    """Whether the refusals are over, one request shows; the others wait for its answer."""
    rate = _after_one_answer(100, 50, 1012)
    rate.before(1001.0, 0.0)
    rate.after(_headers(100, -1, 1012), 429, 1001.0)

    assert [rate.before(1012.0, 0.0) for _ in range(2)] == [0.0, 0.01]
    rate.after(_headers(100, 99, 1022), 200, 1012.1)
    assert [rate.before(1012.1, 0.0) for _ in range(2)] == [0.0, 0.0]


def test_many_answers_show_a_small_difference_of_the_clocks():
    """One answer may show a second too much; the least of many is what the clocks differ by."""
    rate = _after_one_answer(100, 100, 1012, now=1002.4, date=1000)
    for number in range(8):
        rate.before(1002.5 + number / 10, 0.0)
        rate.after(_headers(100, 90 - number, 1012, 1001), 200, 1002.5 + number / 10)

    assert rate.budget()[2] == pytest.approx(1013.4, abs=0.11)


def test_a_first_request_that_hangs_holds_nobody_up():
    """Where the one that finds out gets no answer, others try, each a little later."""
    rate = RateLimit(share=1.0)

    assert [rate.before(at, 0.0) for at in (0.0, 0.7, 0.8, 1.6, 2.4)] == [0.0, 0.01, 0.0, 0.01, 0.0]
