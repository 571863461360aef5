"""What was measured at a few numbers of calls, made into what holds for any number."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """`fixed` + `each` x calls. `off`: the furthest that a point lies from it, as a share of it."""

    fixed: float
    each: float
    off: float

    def at(self, calls: float) -> float:
        """What the line says."""
        return self.fixed + self.each * calls


def line(points: Sequence[tuple[float, float]], *, through_zero: bool = False) -> Line:
    """The line of least squares through (calls, value); no part of it is below zero.

    Raises statistics.StatisticsError where all points have the same number of calls.
    """
    xs, ys = zip(*points, strict=True)
    each, fixed = statistics.linear_regression(xs, ys, proportional=through_zero)
    if fixed < 0:
        return line(points, through_zero=True)
    if each < 0:
        each, fixed = 0.0, statistics.fmean(ys)
    found = [fixed + each * x for x in xs]
    off = max(abs(y - guess) / guess for y, guess in zip(ys, found, strict=True) if guess)
    return Line(fixed, each, off)


@dataclass(frozen=True)
class Curve:
    """Points (calls, value), by calls; the more calls, the less each costs."""

    points: tuple[tuple[float, float], ...]
    spread: float
    """The furthest that one of several measurements lay from their mean, as a share of it."""

    @property
    def each(self) -> float:
        """A call's part where there were the most, which is what is known of still more calls."""
        calls, value = self.points[-1]
        return value / calls

    def at(self, calls: float) -> float:
        """On straight lines between the points; beyond the last one, as much for each call."""
        before = (0.0, 0.0)
        for point in self.points:
            if calls <= point[0]:
                share = (calls - before[0]) / (point[0] - before[0]) if point[0] else 1.0
                return before[1] + share * (point[1] - before[1])
            before = point
        return calls * self.each

    def calls(self, value: float) -> float:
        """How many calls have that value. Raises ValueError where even none has more."""
        before = self.points[0]
        if value < before[1]:
            raise ValueError(f"{value} is less than {before[1]}, of no call at all")
        for point in self.points[1:]:
            if value <= point[1]:
                share = (value - before[1]) / (point[1] - before[1])
                return before[0] + share * (point[0] - before[0])
            before = point
        return value / self.each


def curve(points: Sequence[tuple[float, float]]) -> Curve:
    """Through the means of what was measured for each number of calls."""
    values: dict[float, list[float]] = {}
    for calls, value in sorted(points):
        values.setdefault(calls, []).append(value)
    means = {calls: statistics.fmean(found) for calls, found in values.items()}
    spread = max(abs(value / means[calls] - 1) for calls, value in points if calls)
    return Curve(tuple(means.items()), spread)
