"""What a token is in bytes, where it may be half a character."""

from functools import cache

from transformers import PreTrainedTokenizerBase

_HALF = "\ufffd"


def token_bytes(tokenizer: PreTrainedTokenizerBase, token: int) -> bytes:
    """The bytes that the token adds to a text: of a byte token the one, of a byte-level vocabulary those that
    its characters stand for, else its text."""
    text = str(tokenizer.decode([token], clean_up_tokenization_spaces=False))
    written = tokenizer.convert_ids_to_tokens(token)
    if _HALF not in text or not isinstance(written, str):
        return text.encode()
    if written.startswith("<0x") and written.endswith(">"):
        return bytes([int(written[1:-1], 16)])
    stands_for = _byte_of_character()
    if all(character in stands_for for character in written):
        return bytes(stands_for[character] for character in written)
    return text.encode()


@cache
def _byte_of_character() -> dict[str, int]:
    """GPT-2's table: printable bytes stand for themselves, the others are written from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): b for i, b in enumerate(others)}
