"""A GGUF file's header, read in the jail: a stranger wrote its lengths and types."""

from typing import Any


def read_header(source: str) -> dict[str, Any]:  # Any: JSON
    """For the jail alone: the names of the tokenizer and of its pre-tokenizer. Raises what the reader raises,
    and ValueError for more layers than the file has tensors: whoever builds the model builds them all."""
    from gguf import GGUFReader

    reader = GGUFReader(source)
    fields = {name: field for name, field in reader.fields.items() if "tokens" not in name}
    for name, field in fields.items():
        if name.endswith(".block_count") and int(field.contents()) > len(reader.tensors):
            raise ValueError(f"{name} is {field.contents()}, of {len(reader.tensors)} tensors")
    model, pre = (fields.get(f"tokenizer.ggml.{name}") for name in ("model", "pre"))
    return {"model": model and model.contents(), "pre": pre and pre.contents()}
