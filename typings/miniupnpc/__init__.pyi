"""What kinlight uses of miniupnpc, which ships no types."""

class UPnP:
    discoverdelay: int
    lanaddr: str
    def discover(self) -> int: ...
    def selectigd(self) -> str: ...
    def externalipaddress(self) -> str: ...
    def addportmapping(
        self,
        outside: int,
        protocol: str,
        host: str,
        port: int,
        description: str,
        remote: str,
        lease: int,
        /,
    ) -> bool: ...
    def deleteportmapping(self, outside: int, protocol: str, /) -> bool: ...
