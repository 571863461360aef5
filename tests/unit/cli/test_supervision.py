from parley_cli.supervision import Restarts


def test_delays_double_up_to_a_bound() -> None:
    restarts = Restarts()
    delays = [restarts.after_death(1.0, was_ready=True) for _ in range(7)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert restarts.count == 7


def test_a_long_life_is_forgiven() -> None:
    restarts = Restarts()
    for _ in range(4):
        restarts.after_death(1.0, was_ready=True)
    assert restarts.after_death(30.0, was_ready=True) == 0.5
    assert restarts.after_death(1.0, was_ready=True) == 1.0


def test_hopeless_is_only_who_never_gets_ready() -> None:
    restarts = Restarts()
    for _ in range(2):
        restarts.after_death(1.0, was_ready=False)
    restarts.after_death(1.0, was_ready=True)
    assert not restarts.hopeless
    for _ in range(3):
        restarts.after_death(1.0, was_ready=False)
    assert restarts.hopeless
