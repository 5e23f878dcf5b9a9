"""kroutes against moto's server: an EC2 that somebody else wrote.

moto shows only the id that a route was created with, never a black hole, and answers 500 to filters it does not know,
so what passes here leans on nothing that only our own lab does. Where moto is known to differ from EC2, the test says
what it stays away from.
"""

import pytest

from conftest import TOPOLOGY
from support import Kroutes, client, describe_table, instances, named, routes, writes


class World:
    """The guide's network in moto, and in its table what other people might keep there."""

    def __init__(self, ec2):
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.240.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.240.0.0/24")["Subnet"]["SubnetId"]
        made = ec2.create_route_table(VpcId=self.vpc, TagSpecifications=named("route-table", "kubernetes"))
        self.table = made["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)
        self.workers = [self.launch(f"worker-{number}", f"10.240.0.2{number}") for number in range(3)]
        self.bystander = self.launch("bystander", "10.240.0.99")
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        self.route("0.0.0.0/0", GatewayId=gateway)
        self.route("10.0.0.0/8", InstanceId=self.bystander)
        self.route("192.168.0.0/16", InstanceId=self.bystander)
        self.route("10.200.128.0/24", NatGatewayId=nat)
        self.before = describe_table(ec2, self.table)

    def launch(self, name, address):
        launched = self.ec2.run_instances(
            ImageId="ami-12345678",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnet,
            PrivateIpAddress=address,
            TagSpecifications=named("instance", name),
        )
        return launched["Instances"][0]["InstanceId"]

    def route(self, destination, **target):
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock=destination, **target)

    def next_hops(self):
        """The instances behind the routes of the cluster, by destination."""
        shown = routes(self.ec2, self.table)
        return {to: route.get("InstanceId") for to, route in shown.items() if to.startswith("10.200.")}


@pytest.fixture
def ec2(moto):
    return client(moto)


@pytest.fixture
def world(ec2):
    return World(ec2)


@pytest.fixture
def kroutes(kroutes_binary, moto, topology):
    return Kroutes(kroutes_binary, moto.environment, topology)


def wanted(world):
    return {f"10.200.{number}.0/24": instance for number, instance in enumerate(world.workers)}


def test_a_plan_changes_nothing(world, kroutes):
    planned = kroutes.json("plan", "--detailed-exitcode", expect=2)
    assert planned["summary"]["create"] == 3
    assert describe_table(world.ec2, world.table) == world.before


def test_apply_makes_one_route_per_worker_and_switches_off_the_source_dest_checks(world, kroutes):
    done = kroutes.json("apply")
    assert done["ok"] is True
    assert writes(done["summary"]["api-calls"]) == {"CreateTags": 1, "CreateRoute": 3, "ModifyInstanceAttribute": 3}
    assert world.next_hops() == wanted(world) | {"10.200.128.0/24": None}
    for instance in world.workers:
        shown = world.ec2.describe_instance_attribute(InstanceId=instance, Attribute="sourceDestCheck")
        assert shown["SourceDestCheck"]["Value"] is False
    untouched = world.ec2.describe_instance_attribute(InstanceId=world.bystander, Attribute="sourceDestCheck")
    assert untouched["SourceDestCheck"]["Value"] is True


def test_a_second_apply_makes_no_write_and_needs_two_reads(world, kroutes):
    kroutes("apply")
    again = kroutes.json("apply")
    assert again["summary"]["api-calls"] == {"DescribeRouteTables": 1, "DescribeInstances": 1}
    assert again["summary"]["unchanged"] == 3


def test_verify_judges_what_is_there(world, kroutes):
    assert kroutes.json("verify", expect=2)["ok"] is False
    kroutes("apply")
    verdict = kroutes.json("verify")
    assert verdict["ok"] is True
    assert verdict["reachability"] == {"pairs": 6, "reachable": 6, "unreachable": []}


def test_the_table_after_destroy_equals_the_table_before(world, kroutes):
    kroutes("apply")
    assert describe_table(world.ec2, world.table) != world.before
    assert kroutes("destroy", expect=3).stdout, "without a --yes the plan is shown and nothing is done"
    kroutes("destroy", "--yes")
    assert describe_table(world.ec2, world.table) == world.before


def test_a_route_that_went_astray_is_replaced_only_after_a_yes(world, kroutes):
    kroutes("apply")
    first, second, _ = world.workers
    world.ec2.replace_route(RouteTableId=world.table, DestinationCidrBlock="10.200.0.0/24", InstanceId=second)
    kroutes("verify", expect=2)
    kroutes("apply", expect=3)
    assert world.next_hops()["10.200.0.0/24"] == second
    done = kroutes.json("apply", "--yes")
    assert writes(done["summary"]["api-calls"]) == {"ReplaceRoute": 1}
    assert world.next_hops()["10.200.0.0/24"] == first


def test_routes_to_a_terminated_worker_are_kept_until_they_are_pruned(world, kroutes, tmp_path):
    kroutes("apply")
    gone = world.workers[2]
    world.ec2.terminate_instances(InstanceIds=[gone])
    smaller = tmp_path / "smaller.toml"
    smaller.write_text(TOPOLOGY[: TOPOLOGY.rindex("[[worker]]")])
    assert kroutes.json("apply", topology=smaller)["summary"]["stale"] == 1
    assert world.next_hops()["10.200.2.0/24"] == gone
    kroutes("apply", "--prune", expect=3, topology=smaller)
    kroutes("apply", "--prune", "--yes", topology=smaller)
    assert "10.200.2.0/24" not in world.next_hops()
    assert "10.200.128.0/24" in world.next_hops(), "the NAT gateway's route is not ours to prune"


def test_a_foreign_route_that_holds_a_wanted_destination_is_a_conflict_until_it_is_taken_over(world, kroutes):
    nat = routes(world.ec2, world.table)["10.200.128.0/24"]["NatGatewayId"]
    world.route("10.200.1.0/24", NatGatewayId=nat)
    done = kroutes.json("apply", expect=1)
    assert [conflict["destination"] for conflict in done["tables"][0]["conflicts"]] == ["10.200.1.0/24"]
    assert world.next_hops()["10.200.1.0/24"] is None
    assert world.next_hops()["10.200.0.0/24"] == world.workers[0], "one conflict does not stop the others"
    kroutes("apply", "--take-over", "--yes")
    assert world.next_hops() == wanted(world) | {"10.200.128.0/24": None}


def test_both_families_of_a_dual_stack_cluster_get_their_routes(world, kroutes, tmp_path):
    # moto lets a second IPv6 CreateRoute overwrite the first in silence, so the rerun is what matters here.
    dual = TOPOLOGY.replace('pod-cidr = "10.200.0.0/16"', 'pod-cidr = ["10.200.0.0/16", "fd00:10:200::/48"]')
    for number in range(3):
        single = f'pod-cidr = "10.200.{number}.0/24"'
        dual = dual.replace(single, f'pod-cidr = ["10.200.{number}.0/24", "fd00:10:200:a{number}::/64"]')
    path = tmp_path / "dual.toml"
    path.write_text(dual)
    assert kroutes.json("apply", topology=path)["summary"]["done"] == 9
    shown = routes(world.ec2, world.table)
    assert [shown[f"fd00:10:200:a{n}::/64"]["InstanceId"] for n in range(3)] == world.workers
    assert not writes(kroutes.json("apply", topology=path)["summary"]["api-calls"])
    kroutes("destroy", "--yes", topology=path)
    assert describe_table(world.ec2, world.table) == world.before


def test_more_workers_than_fit_on_one_page_are_all_found(world, kroutes, tmp_path):
    # moto pages DescribeInstances by 100 reservations even where nobody asked for pages.
    for number in range(3, 130):
        world.launch(f"worker-{number}", f"10.240.0.{100 + number}")
    assert len(instances(world.ec2)) == 131
    worker = '[[worker]]\nname = "worker-{0}"\npod-cidr = "10.200.{0}.0/24"\n'
    path = tmp_path / "many.toml"
    head = TOPOLOGY[: TOPOLOGY.index("[[worker]]")].replace("routes-limit = 20", "routes-limit = 500")
    path.write_text(head + "".join(worker.format(number) for number in range(128)))
    planned = kroutes.json("plan", topology=path)
    assert planned["summary"]["unresolved"] == 0
    assert planned["summary"]["create"] == 128


def test_an_instance_name_that_two_machines_bear_is_refused_with_both(world, kroutes):
    twin = world.launch("worker-1", "10.240.0.77")
    said = kroutes("apply", expect=1)
    assert twin in said.stdout + said.stderr
    assert world.workers[1] in said.stdout + said.stderr
    assert world.next_hops().get("10.200.0.0/24") == world.workers[0], "the others are served all the same"
