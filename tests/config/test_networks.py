"""Where an address leads."""

import pytest

from config.lib import networks

METADATA = ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254",
            "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"]  # fmt: skip
OWN = ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "fec0::1",
       "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1"]  # fmt: skip
NOBODYS = ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "fe80::1", "fe80::1%eth0"]


class TestMayReach:
    @pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e"])
    def test_lets_the_public_be_reached(self, address):
        assert networks.may_reach(networks.parsed(address))

    @pytest.mark.parametrize("address", OWN)
    def test_lets_our_own_be_reached_only_where_that_is_allowed(self, address):
        assert not networks.may_reach(networks.parsed(address))
        assert networks.may_reach(networks.parsed(address), private_too=True)

    @pytest.mark.parametrize("address", [*METADATA, *NOBODYS])
    def test_never_lets_a_machines_secrets_be_reached_or_what_is_no_ones_address(self, address):
        assert not networks.may_reach(networks.parsed(address))
        assert not networks.may_reach(networks.parsed(address), private_too=True)


class TestHousehold:
    @pytest.mark.parametrize(
        ("address", "rate_limit_key"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::9%eth0", "2001:db8:1:2::/64"),
            ("unknown", "unknown"),
            ("x" * 5000, "x" * 100),
        ],
    )
    def test_is_what_one_customer_of_a_provider_has(self, address, rate_limit_key):
        assert networks.rate_limit_key(address) == rate_limit_key
