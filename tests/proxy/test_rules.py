from ipaddress import ip_network

import pytest

from proxy.rules import AllowList, Forbidden, Pin, Rule

KMS = "kms.eu-west-1.amazonaws.com"

NEVER = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.169.253",
    "169.254.169.123",
    "172.16.0.1",
    "192.168.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "2600:1f18::5efe:127.0.0.1",
    "2600:1f18::200:5efe:8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "ff02::1",
    "100::1",
    "2001:db8::1",
]
PUBLIC = ["3.5.140.2", "52.94.0.1", "2600:1f18::1", "2a05:d018::1"]


@pytest.mark.parametrize("address", NEVER)
def test_a_name_never_leads_inside(address: str) -> None:
    with pytest.raises(Forbidden):
        AllowList(()).permitted([address])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_name_may_lead_to_public_addresses(address: str) -> None:
    assert AllowList(()).permitted([address]) == [address]


@pytest.mark.parametrize(
    ("network", "address"), [("10.0.0.0/16", "10.0.3.4"), ("100.64.0.0/10", "100.64.9.9"), ("fd12::/16", "fd12::9")]
)
def test_a_private_network_opens_when_the_operator_says_so(network: str, address: str) -> None:
    assert AllowList((), (ip_network(network),)).permitted([address]) == [address]
    with pytest.raises(Forbidden):
        AllowList((), (ip_network("10.1.0.0/16"),)).permitted([address])


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "169.254.169.254", "169.254.170.2", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255"),
        *("::", "::1", "::10.0.0.1", "fe80::1", "fe80::1%1", "ff02::1", "fd00:ec2::254"),
        *("::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "2002:a00:1::1"),
        *("2001:0:a00:1::1", "fd12::5efe:10.0.0.1", "fd12::200:5efe:10.0.0.1"),
    ],
)
def test_some_addresses_stay_shut_even_when_every_network_is_open(address: str) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    with pytest.raises(Forbidden):
        AllowList((), everything).permitted([address])


def test_one_destination_has_one_rule() -> None:
    with pytest.raises(ValueError, match="once"):
        AllowList((Rule.parse(f"{KMS}:443"), Rule.parse(f"{KMS}:443=127.0.0.1:8443")))
    AllowList((Rule.parse(f"{KMS}:443"), Rule.parse(f"{KMS}:8443")))


def test_forbidden_addresses_are_dropped_from_a_mixed_answer() -> None:
    assert AllowList(()).permitted(["127.0.0.1", "52.94.0.1", "::1"]) == ["52.94.0.1"]


def test_no_address_at_all_is_forbidden() -> None:
    with pytest.raises(Forbidden):
        AllowList(()).permitted([])


@pytest.mark.parametrize(
    ("host", "port"),
    [
        (KMS, 80),
        ("kms.us-east-1.amazonaws.com", 443),
        (f"x.{KMS}", 443),
        ("amazonaws.com", 443),
        (f"{KMS}.evil.example", 443),
    ],
)
def test_rules_match_exactly(host: str, port: int) -> None:
    allow_list = AllowList((Rule.parse(f"{KMS}:443"),))
    assert allow_list.find(KMS, 443) == Rule(KMS, 443)
    with pytest.raises(Forbidden):
        allow_list.find(host, port)


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (f"{KMS}:443=127.0.0.1:8443", Pin("127.0.0.1", 8443)),
        (f"{KMS}:443=10.0.0.7:443", Pin("10.0.0.7", 443)),
        (f"{KMS}:443=[::1]:8443", Pin("::1", 8443)),
    ],
)
def test_a_pinned_rule_holds_the_operators_address(text: str, pin: Pin) -> None:
    assert Rule.parse(text) == Rule(KMS, 443, pin)


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254:80",
        f"{KMS}",
        f"{KMS}:443=",
        f"{KMS}:443=localhost:8443",
        f"{KMS}:443=127.0.0.1",
        f"{KMS}:443=127.0.0.1:0",
        f"{KMS}:443=127.0.0.1:65536",
        f"{KMS}:443=::1:8443",
        f"{KMS}:443=[127.0.0.1]:8443",
        f"{KMS}:443=[::1]",
        f"{KMS}:443=127.1:8443",
        f"{KMS}:443=127.0.0.1:8443=1",
    ],
)
def test_unusable_rules_say_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"^egress.*: expected "):
        Rule.parse(text)
