"""The product runs with the permissions of infrastructure/roles.yaml, and with none to spare."""

import json
from collections.abc import Iterator

import pytest

from tests.fixtures.cloud import Cloud, register
from tests.fixtures.cloudformation import Stack, resources
from tests.fixtures.permissions import PREFIX, Role, roles
from tests.fixtures.story import tell_the_story
from wharfage.adapters.sts import StsCredentialIssuer

#: What AWS knows no resource for.
WITHOUT_RESOURCE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    made.modules["sweep"].app.pause = lambda _: None
    tell_the_story(made)
    yield made
    made.unbind()


def test_no_function_needs_more_than_its_role_gives(cloud: Cloud):
    assert cloud.denied == {}


def test_no_role_gives_more_than_its_function_uses(cloud: Cloud):
    spare = {
        name: sorted(
            each for each in granted(role) - role.used if not reads_after_write(role, each)
        )
        for name, role in cloud.roles.items()
        if name != "host"
    }

    assert {name: found for name, found in spare.items() if found} == {}


def test_a_role_without_a_permission_stops_its_function():
    cloud = Cloud()
    cloud.roles["auth"].statements = tuple(
        each for each in cloud.roles["auth"].statements if "dynamodb:PutItem" not in each.actions
    )

    answer = register(cloud, "carol@example.com")
    cloud.unbind()

    assert answer.status == 500
    assert cloud.denied["auth"]


def test_only_what_aws_knows_no_resource_for_has_a_wildcard_as_its_resource():
    found = {
        action
        for role in roles().values()
        for statement in role.statements
        if "*" in statement.resources
        for action in statement.actions
    }

    assert found == WITHOUT_RESOURCE


def test_every_resource_is_of_this_stage():
    named = {
        resource
        for role in roles().values()
        for statement in role.statements
        for resource in statement.resources
    } - {"*"}

    assert [each for each in named if PREFIX not in each and "/wharfage/test/" not in each] == []


def test_no_action_is_a_wildcard():
    actions = {
        action
        for role in roles().values()
        for statement in role.statements
        for action in statement.actions
    }

    assert [action for action in actions if "*" in action] == []


def test_a_host_may_do_what_its_session_policy_says_and_no_more():
    issuer = StsCredentialIssuer(
        role_arn=f"arn:aws:iam::000000000000:role/{PREFIX}host", prefix=PREFIX,
        region="eu-west-1", sts_endpoint=None, sqs_endpoint=None,
    )  # fmt: skip
    policy = json.loads(issuer._policy([f"{PREFIX}pool-default", f"{PREFIX}host-hst_1"]))
    [statement] = policy["Statement"]
    host = roles()["host"]

    # To AWS a batch is its single action.
    actions = {action.removesuffix("Batch") for action in statement["Action"]}
    for action in actions:
        for queue in statement["Resource"]:
            host.require(action, queue)

    assert {action for each in host.statements for action in each.actions} == actions


def test_only_agents_may_become_a_host():
    stack = Stack("infrastructure/roles.yaml")
    host = resources(stack.document, "AWS::IAM::Role")["Host"]
    [trust] = host["AssumeRolePolicyDocument"]["Statement"]
    arn = f"arn:aws:iam::000000000000:role/{stack.resolve(host['RoleName'])}"

    assert trust["Principal"] == {"AWS": {"Fn::GetAtt": "Agents.Arn"}}
    assert {name for name, role in roles().items() if role.granted("sts")} == {"agents"}
    assert roles()["agents"].granted("sts") == {("sts:AssumeRole", arn)}


@pytest.mark.parametrize("channel", ["alipay", "wechat", "stripe"])
def test_the_keys_to_a_channel_are_for_those_who_talk_to_it(channel):
    def holds(role: Role) -> bool:
        return any(channel in name for _, name in role.granted("ssm"))

    holders = {name for name, role in roles().items() if holds(role)}
    assert holders == {"orders", channel, "sweep", "reconcile"}


def granted(role: Role) -> set[tuple[str, str]]:
    return role.granted("dynamodb") | role.granted("sqs") | role.granted("s3")


def reads_after_write(role: Role, permission: tuple[str, str]) -> bool:
    """Tell whether it is a read of what the function writes: a refused write is read again."""
    action, table = permission
    reads = action in {"dynamodb:GetItem", "dynamodb:BatchGetItem"}
    return reads and any(
        (f"dynamodb:{write}Item", table) in role.used for write in ("Put", "Update", "Delete")
    )
