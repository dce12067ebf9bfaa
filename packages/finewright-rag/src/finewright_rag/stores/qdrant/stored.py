"""What the client's local mode reads from a folder: points, and no other objects.

The client keeps points as pickles, and a pickle of a stranger's may name any function to call. Here it may
name the records of Qdrant's own API alone; what they hold is numbers, texts, lists and mappings."""

from __future__ import annotations

import io
import pickle  # noqa: TID251 - to read it by an allow-list
from enum import Enum
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel

_RECORDS = "qdrant_client.http.models.models"


class _PointReader(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:  # Any: a class of the client's
        from qdrant_client.http.models import models

        found = getattr(models, name, None) if module == _RECORDS else None
        if isinstance(found, type) and issubclass(found, BaseModel | Enum):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a point")


def read_points_alone() -> None:
    """From now on the client's local mode reads pickles of points, and refuses all others."""
    from qdrant_client.local import persistence

    assert hasattr(persistence, "pickle"), "the client reads its folders in another way"
    vars(persistence)["pickle"] = SimpleNamespace(loads=_read, dumps=pickle.dumps)


def _read(content: bytes) -> object:
    return _PointReader(io.BytesIO(content)).load()
