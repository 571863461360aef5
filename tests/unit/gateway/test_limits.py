"""How much a client may send."""

from parley_gateway.limits import TokenBucket


def test_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(rate=10.0, burst=3)
    assert [bucket.admits(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert [bucket.admits(0.05), bucket.admits(0.1), bucket.admits(0.1)] == [False, True, False]


def test_who_waits_long_has_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate=10.0, burst=3)
    bucket.admits(0.0)
    assert [bucket.admits(1000.0) for _ in range(4)] == [True, True, True, False]


def test_over_a_long_time_the_rate_is_kept() -> None:
    bucket = TokenBucket(rate=50.0, burst=200)
    admitted = sum(bucket.admits(at / 100) for at in range(0, 6000))
    assert abs(admitted - (200 + 60 * 50)) <= 2
