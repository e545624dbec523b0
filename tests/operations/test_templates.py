"""Templates: defined, versioned, retired and looked at."""

import msgspec
import pytest

from tests.fixtures import work
from tests.fixtures.money import ALICE, OPERATOR, RacedStore, with_store
from tests.fixtures.units import ASKED, UPSCALE, define, join
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.errors import Invalid, NotFound, StateConflict
from wharfage.domain.input_schema import ObjectSchema
from wharfage.domain.spec import JobSpec, Submission
from wharfage.domain.template import Result, TemplateBody, job_spec
from wharfage.operations import quota, templates
from wharfage.operations.quota import Source


@pytest.fixture
def at():
    return work.world()


def test_a_template_that_is_defined_again_is_a_new_version_only_if_it_differs(at):
    made = [templates.define(at.ports, OPERATOR, UPSCALE) for _ in range(2)]
    dearer = templates.define(at.ports, OPERATOR, msgspec.structs.replace(UPSCALE, units=6))

    assert [each.replayed for each in made] == [False, True]
    assert (dearer.value.template_version, dearer.value.units) == (2, 6)
    assert templates.find(at.ports, "upscale").units == 6
    assert templates.find(at.ports, "upscale", 1).units == 5


def test_a_retired_template_is_listed_for_the_operator_alone_and_comes_back_as_a_new_version(at):
    define(at.ports)
    first = templates.retire(at.ports, OPERATOR, "upscale")
    again = templates.retire(at.ports, OPERATOR, "upscale")

    assert first.retired_at == again.retired_at is not None
    assert templates.find_all(at.ports, after=None, limit=9).items == ()
    assert len(templates.find_all(at.ports, after=None, limit=9, retired=True).items) == 1
    define(at.ports)
    assert templates.find_all(at.ports, after=None, limit=9).items[0].template_version == 2


def test_templates_are_listed_by_name_a_page_at_a_time(at):
    for name in ("c", "a", "b"):
        define(at.ports, name=name)

    first = templates.find_all(at.ports, after=None, limit=2)
    rest = templates.find_all(at.ports, after=first.next, limit=2)

    assert [each.name for each in (*first.items, *rest.items)] == ["a", "b", "c"]


@pytest.mark.parametrize("version", [None, 1, 2])
def test_what_is_not_there_is_not_found(at, version):
    with pytest.raises(NotFound):
        templates.find(at.ports, "upscale", version)
    with pytest.raises(NotFound):
        templates.retire(at.ports, OPERATOR, "upscale")


def test_of_two_who_define_at_once_one_is_told(at):
    for units in (6, 7):  # Of a template that is new, and of one that is there.
        other = msgspec.structs.replace(UPSCALE, units=units)
        store = RacedStore(
            at.ports.store, lambda other=other: templates.define(at.ports, OPERATOR, other)
        )
        with pytest.raises(StateConflict):
            templates.define(with_store(at, store), OPERATOR, UPSCALE)

    assert templates.find(at.ports, "upscale").template_version == 2


def test_what_was_done_to_a_template_is_on_its_timeline(at):
    define(at.ports)
    templates.retire(at.ports, OPERATOR, "upscale")

    events = at.ports.store.query(schema.EVENT, "template:upscale", prefix="evt_", limit=9).items
    assert [event.kind for event in events] == ["template.defined", "template.retired"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"image": "evil.example/x"}, "/image"),
        ({"env": {"A": "\0"}}, "/env/A"),
        ({"input": ObjectSchema(required=("a",))}, "/input/required"),
    ],
)
def test_a_template_that_no_job_can_be_made_of_is_refused(at, changes, pointer):
    with pytest.raises(Invalid) as refusal:
        define(at.ports, **changes)

    assert [fault.pointer for fault in refusal.value.faults] == [pointer]
    with pytest.raises(NotFound):
        templates.find(at.ports, "upscale")


@pytest.mark.parametrize(
    "path",
    [
        "/wharfage/output", "/wharfage/output/", "/wharfage/output/../x", "/wharfage/output/.x",
        "/etc/passwd", "/wharfage/input.json", "output/a", "/wharfage/output/a\n",
        "/wharfage/output/a//b", "/wharfage/output/" + "a/" * 8 + "a",
    ],
)  # fmt: skip
def test_a_result_lies_under_the_outputs_of_its_volume(path):
    written = {"path": path, "media_type": "image/png"}

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(written, Result)


@pytest.mark.parametrize(
    ("field", "fine", "wrong"),
    [
        ("units", [1, limits.UNITS_MAX], [0, limits.UNITS_MAX + 1, 1.5, True]),
        ("price_fen", [1, limits.TOPUP_FEN_MAX], [0, limits.TOPUP_FEN_MAX + 1]),
        ("name", ["a", "a" * 63, "a-1"], ["", "a" * 64, "A", "-a", "1a", "a b", "a\n"]),
    ],
)
def test_each_limit_of_a_template_is_held(field, fine, wrong):
    whole = msgspec.to_builtins(UPSCALE)
    for value in fine:
        msgspec.convert(whole | {field: value}, TemplateBody)
    for value in wrong:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(whole | {field: value}, TemplateBody)


def test_a_job_of_a_template_is_the_templates_with_the_customers_place_and_input(at):
    define(at.ports)
    stored = at.ports.store.get(schema.TEMPLATE.key(name="upscale"))
    assert stored is not None
    asked = msgspec.structs.replace(ASKED, pool="gpu", labels={"zone": "a"}, queue_ttl_s=5)

    spec = job_spec(stored.newest, asked)

    assert (spec.image, spec.command, spec.max_run_s) == ("busybox", ("upscale",), 50)
    assert (spec.pool, spec.labels, spec.queue_ttl_s) == ("gpu", {"zone": "a"}, 5)
    assert spec.input == {"factor": 2}


def test_a_version_without_a_template_and_a_job_of_nothing_are_refused():
    for asked, pointer in (
        (Submission(image="busybox", template_version=1), "/template_version"),
        (Submission(), "/image"),
    ):
        with pytest.raises(Invalid) as refusal:
            asked.job_spec()
        assert [fault.pointer for fault in refusal.value.faults] == [pointer]


def test_a_submission_of_an_image_is_the_job_with_its_input_as_text():
    asked = Submission(image="busybox", command=("cat",), input={"b": 1, "a": None})

    assert asked.job_spec() == JobSpec(
        image="busybox", command=("cat",), input={"b": 1, "a": None}
    )  # fmt: skip


@pytest.mark.parametrize("more", [0, 1])
def test_an_input_has_its_limit(more):
    room = limits.INPUT_BYTES_MAX - len('{"a":""}')
    spec = Submission(image="busybox", input={"a": "x" * (room + more)}).job_spec()

    if not more:
        spec.check(frozenset({"docker.io"}))
        return
    with pytest.raises(Invalid) as refusal:
        spec.check(frozenset({"docker.io"}))
    assert [fault.pointer for fault in refusal.value.faults] == ["/input"]


@pytest.mark.parametrize(
    ("units", "source", "hold"), [(5, Source.UNITS, (0, 5)), (101, Source.BALANCE, (40, 0))]
)
def test_the_check_says_what_would_pay_and_does_nothing(at, units, source, hold):
    define(at.ports, units=units)
    join(at.ports)

    found = quota.check(at.ports, ALICE, ASKED)

    assert found.source is source
    assert (found.hold_fen, found.hold_units) == hold
    assert (found.available_fen, found.available_units) == (1000, 100)
    assert found.worst_case_fen == hold[0]
    assert found.sufficient
    assert at.holds() == []


@pytest.mark.parametrize(("money_fen", "sufficient"), [(39, False), (40, True), (41, True)])
def test_the_check_of_a_template_without_units_asks_for_its_price(money_fen, sufficient):
    at = work.world(money_fen=money_fen)
    define(at.ports)

    found = quota.check(at.ports, ALICE, ASKED)

    assert (found.source, found.hold_fen) == (Source.BALANCE, 40)
    assert found.sufficient is sufficient
