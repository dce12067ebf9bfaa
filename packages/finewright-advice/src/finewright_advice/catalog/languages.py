"""Codes of languages, ISO 639-1 as Debian's package iso-codes has them, and what is written in error."""

_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id
ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu
lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu
rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr
ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_CODES.split())
# Countries' codes, and codes that were withdrawn.
_MEANT = {
    **{
        "cn": "zh",
        "cz": "cs",
        "dk": "da",
        "gb": "en",
        "gr": "el",
        "jp": "ja",
        "ua": "uk",
        "us": "en",
    },
    **{"in": "id", "iw": "he", "ji": "yi", "sh": "sr"},
}
_NAMES = """
arabic ar bulgarian bg chinese zh croatian hr czech cs danish da deutsch de dutch nl english en estonian et
finnish fi français fr french fr german de greek el hebrew he hindi hi hungarian hu indonesian id irish ga
italian it italiano it japanese ja korean ko latvian lv lithuanian lt maltese mt norwegian no persian fa
polish pl portuguese pt romanian ro russian ru serbian sr slovak sk slovene sl slovenian sl spanish es
español es swedish sv thai th turkish tr ukrainian uk vietnamese vi
"""
_WORDS = _NAMES.split()
_MEANT |= dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))


def unknown_language(code: str) -> str:
    """What is wrong with a code, and how to mend it; empty where there is such a language."""
    if code in LANGUAGES:
        return ""
    folded = code.strip().casefold()
    main = folded.replace("_", "-").partition("-")[0]
    near = _MEANT.get(folded) or (main if main in LANGUAGES else "")
    meant = f"did you mean {near!r}?" if near else "such as en, de or zh"
    return f"unknown language {code!r}: codes are those of ISO 639-1; {meant}"
