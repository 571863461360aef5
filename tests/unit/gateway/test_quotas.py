"""How much a key may call, in virtual time."""

import pytest

from parley.api_keys import ApiKey
from parley_gateway.access.quotas import FORGET_SECONDS, Quotas, Use, periods
from parley_gateway.protocol import ProtocolError

NOW = 1_795_435_200.0  # 2026-11-23, noon
DAY, MONTH = "2026-11-23", "2026-11"


def limited(**limits: float) -> ApiKey:
    return ApiKey.model_validate({"sha256": "0" * 64, **limits})


def refused(quotas: Quotas, key: ApiKey, now: float = NOW) -> ProtocolError:
    with pytest.raises(ProtocolError) as error:
        quotas.begin("shop", key, now)
    return error.value


def test_calls_at_once() -> None:
    quotas, key = Quotas(), limited(calls=2)
    first, _ = (quotas.begin("shop", key, NOW) for _ in range(2))
    error = refused(quotas, key)
    assert (error.code, error.close_code) == ("too_many_calls", 4429)
    assert error.retry_after_ms is not None
    quotas.begin("rival", key, NOW)
    quotas.end(first, NOW + 1)
    quotas.begin("shop", key, NOW + 1)


def test_a_limit_of_none_is_none_and_a_limit_of_zero_is_zero() -> None:
    quotas = Quotas()
    for _ in range(1000):
        quotas.begin("shop", limited(), NOW)
    refused(quotas, limited(calls=0))
    refused(quotas, limited(calls_a_minute=0))


def test_calls_elsewhere_count_until_nothing_is_heard_of_them() -> None:
    quotas, key = Quotas(), limited(calls=3)
    quotas.hear("one", {"shop": Use(1, 0)}, NOW)
    quotas.hear("other", {"shop": Use(1, 0), "rival": Use(9, 0)}, NOW)
    quotas.begin("shop", key, NOW)
    refused(quotas, key, NOW + FORGET_SECONDS - 0.1)
    quotas.hear("one", {}, NOW + 3)
    lease = quotas.begin("shop", key, NOW + 3)
    refused(quotas, key, NOW + 3)
    quotas.begin("shop", key, NOW + FORGET_SECONDS)
    assert lease.name == "shop"


def test_calls_a_minute() -> None:
    quotas, key = Quotas(), limited(calls_a_minute=3)
    for second in (0, 10, 20):
        quotas.end(quotas.begin("shop", key, NOW + second), NOW + second)
    error = refused(quotas, key, NOW + 59)
    assert error.code == "too_many_calls"
    assert error.retry_after_ms is not None
    assert 1000 + 1000 <= error.retry_after_ms <= 1000 + 5000
    quotas.begin("shop", key, NOW + 60)
    refused(quotas, key, NOW + 69)
    quotas.begin("shop", key, NOW + 70)
    quotas.hear("other", {"shop": Use(0, 1)}, NOW + 80)
    refused(quotas, key, NOW + 80)


def test_a_call_that_is_resumed_is_no_new_one_but_counts() -> None:
    quotas, key = Quotas(), limited(calls=1, calls_a_minute=1)
    quotas.begin("shop", key, NOW)
    lease = quotas.begin("shop", key, NOW, resuming=True)
    assert quotas.own(NOW) == {"shop": Use(2, 1)}
    quotas.end(lease, NOW)
    assert quotas.own(NOW) == {"shop": Use(1, 1)}


def test_a_call_that_has_lost_its_place_needs_one_to_go_on() -> None:
    quotas, key = Quotas(), limited(calls=2)
    other = quotas.begin("shop", key, NOW)
    back = quotas.begin("shop", key, NOW, resuming=True)
    quotas.come_back(back, key, NOW)
    third = quotas.begin("shop", key, NOW, resuming=True)
    with pytest.raises(ProtocolError) as error:
        quotas.come_back(third, key, NOW)
    assert error.value.code == "too_many_calls"
    quotas.end(other, NOW)
    quotas.come_back(third, key, NOW)


def test_what_is_over_is_forgotten() -> None:
    quotas = Quotas()
    quotas.end(quotas.begin("shop", limited(minutes_a_day=1), NOW), NOW + 1)
    assert quotas.own(NOW + 30) == {"shop": Use(0, 1)}
    assert quotas.own(NOW + 61) == {}
    quotas.forget_past(NOW + 40 * 86_400)
    assert quotas.pending == {}


@pytest.mark.parametrize("limit", ["minutes_a_day", "minutes_a_month"])
def test_time_that_is_used_up(limit: str) -> None:
    quotas, key = Quotas(), limited(**{limit: 1.0})
    calls = [quotas.begin("shop", key, NOW) for _ in range(2)]
    rival = quotas.begin("rival", limited(), NOW)
    quotas.tick(NOW + 29)
    quotas.stop_used_up({"shop": key, "rival": limited()}, NOW + 29)
    assert not any(call.stopped.is_set() for call in calls)
    quotas.tick(NOW + 30)
    quotas.stop_used_up({"shop": key, "rival": limited()}, NOW + 30)
    assert all(call.stopped.is_set() for call in calls)
    assert not rival.stopped.is_set()
    assert calls[0].error is not None
    assert (calls[0].error.code, calls[0].error.close_code) == ("quota_used_up", 4429)
    with pytest.raises(ProtocolError, match="1 minutes a"):
        quotas.check_time("shop", key, NOW + 30)
    later = NOW + (86_400 if limit == "minutes_a_day" else 31 * 86_400)
    quotas.check_time("shop", key, later)


def test_a_second_is_counted_once_here_or_by_nats() -> None:
    quotas, key = Quotas(), limited(minutes_a_day=10)
    call = quotas.begin("shop", key, NOW)
    quotas.tick(NOW + 4.75)
    assert quotas.pending["shop", DAY] == quotas.pending["shop", MONTH] == 4.75
    quotas.settle("shop", DAY, 4, total=596)  # Other gateways have counted 592.
    assert quotas.pending["shop", DAY] == 0.75
    quotas.check_time("shop", key, NOW + 4.75)
    quotas.end(call, NOW + 8)
    with pytest.raises(ProtocolError):
        quotas.check_time("shop", key, NOW + 8)


def test_a_clock_that_goes_back_takes_no_time_away() -> None:
    quotas, key = Quotas(), limited(minutes_a_day=1)
    call = quotas.begin("shop", key, NOW)
    quotas.tick(NOW + 10)
    quotas.tick(NOW - 3600)
    quotas.end(call, NOW - 3590)
    assert quotas.pending["shop", DAY] == 20


def test_calls_of_a_key_that_is_taken_away_end() -> None:
    quotas = Quotas()
    shop, rival = (quotas.begin(name, limited(), NOW) for name in ("shop", "rival"))
    quotas.revoke({"rival"})
    assert shop.error is not None
    assert (shop.error.code, rival.stopped.is_set()) == ("unauthorized", False)


def test_periods_are_utcs() -> None:
    assert periods(NOW) == (DAY, MONTH)
    assert periods(1_798_761_599.0) == ("2026-12-31", "2026-12")
    assert periods(1_798_761_600.0) == ("2027-01-01", "2027-01")
