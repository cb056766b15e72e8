from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

_T_co = TypeVar("_T_co", covariant=True)

class Dataset(Generic[_T_co]):
    def __getitem__(self, place: int) -> _T_co: ...

class DataLoader(Generic[_T_co]):
    def __init__(
        self,
        dataset: Dataset[_T_co],
        *,
        batch_size: int | None = ...,
        sampler: Iterable[int] | None = ...,
        num_workers: int = ...,
        prefetch_factor: int | None = ...,
        worker_init_fn: Callable[[int], None] | None = ...,
    ) -> None: ...
    def __iter__(self) -> Iterator[_T_co]: ...
