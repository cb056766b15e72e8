# pyright: reportPrivateImportUsage=false
"""Says again and again that a node is elsewhere, and that its machine has a thousand addresses.

    false_announcer.py OWN_ADDRESS INSTANCE ADDRESS PORT

Prints a line when the first lies are out.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import time

from kinlight.node.addresses import MDNS_IPV4, MDNS_PORT
from kinlight.node.sightings import CLASS_IN, SERVICE_TYPE, TYPE_A, TYPE_PTR, TYPE_SRV, TYPE_TXT
from zeroconf import DNSAddress, DNSOutgoing, DNSPointer, DNSRecord, DNSService, DNSText

RESPONSE = 0x8400
FLUSH = 0x8000
"""RFC 6762, section 10.2: what others said before is to be forgotten."""


def main() -> None:
    source, instance, address, port = sys.argv[1:]
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
    link.bind((source, MDNS_PORT))

    def shout(records: list[DNSRecord]) -> None:
        packet = DNSOutgoing(RESPONSE)
        for record in records:
            packet.add_answer_at_time(record, 0)
        for data in packet.packets():
            link.sendto(data, (MDNS_IPV4, MDNS_PORT))

    name, host = f"{instance}.{SERVICE_TYPE}", "elsewhere.local."
    flushing = CLASS_IN | FLUSH
    lie: list[DNSRecord] = [
        DNSPointer(SERVICE_TYPE, TYPE_PTR, CLASS_IN, 4500, name),
        DNSService(name, TYPE_SRV, flushing, 120, 0, 0, int(port), host),
        DNSText(name, TYPE_TXT, flushing, 4500, b"\x03v=1"),
        DNSAddress(host, TYPE_A, CLASS_IN, 120, ipaddress.ip_address(address).packed),
    ]
    many: list[DNSRecord] = [
        DNSAddress(host, TYPE_A, CLASS_IN, 120, (ipaddress.ip_address("10.77.8.0") + each).packed)
        for each in range(1000)
    ]
    number = 0
    while True:
        shout(lie)
        start = number % 10 * 100
        shout(many[start : start + 100])
        if number == 0:
            print("lying", flush=True)
        number += 1
        time.sleep(0.3)


main()
