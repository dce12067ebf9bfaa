"""Citations as OpenAI's annotations: `url_citation`, with the quoted words and their place beside."""

from typing import Any
from urllib.parse import quote

from finewright.judge.quotes import heading
from finewright.schema.passages import Citation


def annotation_of(citation: Citation) -> dict[str, Any]:
    """OpenAI's keys, `start_index` to `end_index` of the answer; and ours: `quote` is `start` to `end` of the
    document `filename`, in characters.

    `url` is the document's address where it has one, else its name with the place (RFC 5147)."""
    passage = citation.passage
    is_address = passage.source.startswith(("https://", "http://"))
    place = f"{quote(passage.document)}#char={citation.start},{citation.end}"
    return {
        "start_index": citation.answer_start,
        "end_index": citation.answer_end,
        "title": heading(passage),
        "url": passage.source if is_address else place,
        "filename": passage.document,
        "quote": citation.quote,
        "start": citation.start,
        "end": citation.end,
    }
