"""The special-purpose blocks as the registries of IANA and the clouds' manuals list them, written down apart from the
code under test: first address, last address."""

IPV4_BLOCKS = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
]

IPV6_BLOCKS_OF_2000 = [
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
]

OUTSIDE_OF_2000 = [
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible loopback
    "::ffff:0:7f00:1",  # IPv4-translated loopback
    "64:ff9b::",
    "64:ff9b::7f00:1",  # NAT64 of loopback
    "64:ff9b::a9fe:a9fe",  # NAT64 of a metadata service
    "64:ff9b:1::1",  # local NAT64
    "100::",
    "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::",
    "5f00::1",  # segment routing
    "fc00::",
    "fd00:ec2::254",  # metadata of one cloud
    "fe80::1",
    "fec0::1",  # site-local
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]

IANA_IPV6_BLOCKS = [
    ("::", "::"),
    ("::1", "::1"),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff"),  # IPv4-translated
    ("64:ff9b::", "64:ff9b::ffff:ffff"),  # NAT64
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),  # local NAT64
    ("100::", "100::ffff:ffff:ffff:ffff"),  # discard
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),  # dummy prefix
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),  # Teredo
    ("2001:1::1", "2001:1::3"),  # anycast of PCP, TURN and DNS-SD
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),  # benchmarks
    ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),  # AMT
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),  # AS112
    ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),  # ORCHID
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),  # ORCHIDv2
    ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),  # drone remote identification
    *IPV6_BLOCKS_OF_2000,
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # segment routing
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # unique local
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # link-local
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # site-local
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # multicast
]
