# pyright: reportPrivateImportUsage=false
"""Hears a link by a real multicast socket: a JSON object a line for each response to `_kinlight`.

    announcement_listener.py OWN_ADDRESS

`instances` are those that the packet says where to find (SRV); the first line is `{"ready": true}`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

from kinlight.node.addresses import MDNS_IPV4, MDNS_PORT
from kinlight.node.sightings import FLUSHED_TTL, SERVICE_TYPE
from zeroconf import DNSIncoming, DNSService


def main() -> None:
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    link.bind(("", MDNS_PORT))
    group = struct.pack("4s4s", socket.inet_aton(MDNS_IPV4), socket.inet_aton(sys.argv[1]))
    link.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        data, source = link.recvfrom(9000)
        packet = DNSIncoming(data, source)
        if not packet.valid or packet.is_query():
            continue
        instances = sorted(
            record.name.removesuffix("." + SERVICE_TYPE)
            for record in packet.answers()
            if isinstance(record, DNSService)
            and record.name.endswith(SERVICE_TYPE)
            and record.ttl > FLUSHED_TTL
        )
        if instances:
            heard = {"instances": instances, "source": source[0], "time": time.monotonic()}
            print(json.dumps(heard), flush=True)


main()
