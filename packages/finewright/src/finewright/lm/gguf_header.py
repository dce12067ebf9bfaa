"""A GGUF file's header, read in the jail: a stranger wrote its lengths and types."""

from pathlib import Path
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


def read_templates(source: str) -> dict[str, Any]:  # Any: JSON
    """For the jail alone: the chat `templates` of a file by name, and the `fault` of a tensor that leads
    beyond the file, or "". Raises what the reader raises."""
    from gguf import GGUFReader

    size, reader = Path(source).stat().st_size, GGUFReader(source)
    names = [name for name in reader.fields if name.startswith("tokenizer.chat_template")]
    texts = {name: reader.fields[name].contents() for name in names}
    ends = {str(each.name): int(each.data_offset) + int(each.n_bytes) for each in reader.tensors}
    beyond = next((name for name, end in ends.items() if end > size), "")
    return {
        "templates": {name: text for name, text in texts.items() if isinstance(text, str)},
        "fault": f"tensor {beyond[:80]!r} leads beyond the file" if beyond else "",
    }
