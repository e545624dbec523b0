"""Prices: exact integers, and one rounding, upwards, at the end."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from wharfage import wiring
from wharfage.domain import limits
from wharfage.domain.price import PriceList, Resources

resources = st.builds(
    Resources,
    cpu_millis=st.integers(limits.CPU_MILLIS_MIN, limits.CPU_MILLIS_MAX),
    memory_mb=st.integers(limits.MEMORY_MB_MIN, limits.MEMORY_MB_MAX),
    disk_mb=st.integers(limits.DISK_MB_MIN, limits.DISK_MB_MAX),
)
prices = st.builds(
    PriceList,
    version=st.just("1"),
    vcpu_hour_fen=st.integers(1, 100_000),
    gb_hour_fen=st.integers(0, 100_000),
)
seconds = st.integers(0, limits.RUN_SECONDS_MAX + limits.STOP_GRACE_SECONDS_MAX)


def exactly(price: PriceList, asked: Resources, seconds: int) -> Fraction:
    """Compute a price as a person would, without any rounding."""
    hours = Fraction(seconds, 3600)
    vcpus, gigabytes = Fraction(asked.cpu_millis, 1000), Fraction(asked.memory_mb, 1024)
    return hours * (vcpus * price.vcpu_hour_fen + gigabytes * price.gb_hour_fen)


def test_an_hour_of_one_vcpu_and_one_gigabyte_costs_both_prices() -> None:
    price = PriceList(version="1", vcpu_hour_fen=24, gb_hour_fen=6)

    assert price.cost_fen(Resources(cpu_millis=1000, memory_mb=1024), 3600) == 30


def test_a_part_of_a_fen_costs_a_whole_one_and_nothing_costs_nothing() -> None:
    price = PriceList(version="1", vcpu_hour_fen=24, gb_hour_fen=6)

    assert price.cost_fen(Resources(), 1) == 1
    assert price.cost_fen(Resources(), 0) == 0


def test_cpu_and_memory_are_rounded_together_and_not_one_by_one() -> None:
    price = PriceList(version="1", vcpu_hour_fen=1, gb_hour_fen=1)
    half_of_each = Resources(cpu_millis=500, memory_mb=512)

    assert price.cost_fen(half_of_each, 3600) == 1


@given(prices, resources, seconds)
def test_the_price_is_the_exact_one_rounded_up_once(
    price: PriceList, asked: Resources, seconds: int
) -> None:
    cost_fen = price.cost_fen(asked, seconds)

    assert 0 <= cost_fen - exactly(price, asked, seconds) < 1


@given(prices, resources, seconds, seconds)
def test_more_time_never_costs_less(
    price: PriceList, asked: Resources, one: int, other: int
) -> None:
    least, most = sorted((one, other))

    assert price.cost_fen(asked, least) <= price.cost_fen(asked, most)


@given(prices, resources, resources, seconds)
def test_more_of_everything_never_costs_less(
    price: PriceList, one: Resources, other: Resources, seconds: int
) -> None:
    most = Resources(
        cpu_millis=max(one.cpu_millis, other.cpu_millis),
        memory_mb=max(one.memory_mb, other.memory_mb),
    )

    assert price.cost_fen(most, seconds) >= price.cost_fen(one, seconds)


@given(prices, resources, seconds, seconds)
def test_one_bill_is_never_dearer_than_two(
    price: PriceList, asked: Resources, one: int, other: int
) -> None:
    whole = price.cost_fen(asked, one + other)
    parts = price.cost_fen(asked, one) + price.cost_fen(asked, other)

    assert parts - 1 <= whole <= parts


@given(prices, resources, st.integers(0, limits.TOPUP_FEN_MAX))
def test_the_seconds_for_an_amount_are_the_most_that_it_pays(
    price: PriceList, asked: Resources, fen: int
) -> None:
    paid = price.seconds_for(asked, fen)

    assert price.cost_fen(asked, paid) <= fen < price.cost_fen(asked, paid + 1)


def test_the_price_list_of_the_package_costs_something_for_the_least_there_is() -> None:
    least = Resources(cpu_millis=limits.CPU_MILLIS_MIN, memory_mb=limits.MEMORY_MB_MIN)

    assert wiring.prices().cost_fen(least, 1) == 1
