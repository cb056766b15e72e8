"""What kinlight uses of msgpack, which ships no types."""

from typing import Any

class UnpackException(Exception): ...
class ExtraData(ValueError): ...

class Packer:
    def __init__(self, *, use_bin_type: bool = True) -> None: ...
    def pack(self, obj: object) -> bytes: ...

def packb(o: object, *, use_bin_type: bool = True) -> bytes: ...
def unpackb(
    packed: bytes | bytearray | memoryview,
    *,
    raw: bool = False,
    use_list: bool = True,
    strict_map_key: bool = True,
    max_str_len: int = -1,
    max_bin_len: int = -1,
    max_array_len: int = -1,
    max_map_len: int = -1,
    max_ext_len: int = -1,
) -> Any: ...
