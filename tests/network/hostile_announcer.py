# pyright: reportPrivateImportUsage=false
"""Floods a link with announcements that break every rule, from the address given."""

from __future__ import annotations

import ipaddress
import random
import socket
import sys

from kinlight.node.addresses import MDNS_IPV4, MDNS_PORT
from kinlight.node.sightings import CLASS_IN, SERVICE_TYPE, TYPE_A, TYPE_PTR, TYPE_SRV, TYPE_TXT
from zeroconf import DNSAddress, DNSOutgoing, DNSPointer, DNSRecord, DNSService, DNSText

RESPONSE = 0x8400


def announcement(instance: str, host: str, txt: bytes, *addresses: str) -> list[DNSRecord]:
    name = f"{instance}.{SERVICE_TYPE}"
    return [
        DNSPointer(SERVICE_TYPE, TYPE_PTR, CLASS_IN, 4500, name),
        DNSService(name, TYPE_SRV, CLASS_IN, 120, 0, 0, 4711, host),
        DNSText(name, TYPE_TXT, CLASS_IN, 4500, txt),
        *(
            DNSAddress(host, TYPE_A, CLASS_IN, 120, ipaddress.ip_address(address).packed)
            for address in addresses
        ),
    ]


def main() -> None:
    source = sys.argv[1]
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
    link.bind((source, 0))

    def shout(records: list[DNSRecord]) -> None:
        packet = DNSOutgoing(RESPONSE)
        for record in records:
            packet.add_answer_at_time(record, 0)
        for data in packet.packets():
            link.sendto(data, (MDNS_IPV4, MDNS_PORT))

    good = b"\x03v=1"
    many = [str(ipaddress.ip_address("10.77.8.0") + number) for number in range(1000)]
    for start in range(0, 1000, 100):
        shout(announcement(f"{0xBAD:016x}", "many.local.", good, *many[start : start + 100]))
    for number in range(1000):
        shout(announcement(f"{number:016x}", "many.local.", good, f"10.77.4.{number % 250 + 1}"))
    shout(announcement("e" * 16, "a.local.", b"\xff\xfe\x80" * 80, "10.77.0.9"))
    shout(announcement("d" * 16, "b.local.", (b"\xffv=1" + b"x" * 252) * 30, "10.77.0.9"))
    shout(announcement("../\x1b[2J\n", "c.local.", good, "10.77.0.9"))
    noise = random.Random(7)
    for _ in range(200):
        link.sendto(noise.randbytes(noise.randrange(1400)), (MDNS_IPV4, MDNS_PORT))


main()
