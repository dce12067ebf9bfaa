"""Answers that decline to answer, by the phrases that assistants decline with.

Only the beginning of an answer is read, and a phrase names what is declined (to help, to comply, to
provide that): a clerk who cannot find an order does not refuse. Covered: English, German, French,
Spanish, Italian, Portuguese, Dutch, Polish, Russian, Ukrainian, Turkish, Arabic, Chinese, Japanese,
Korean. Not covered: refusals that argue, change the subject, or stand at the end of an answer."""

# ruff: noqa: RUF001 - each phrase stands in its own script

import re

_BEGINNING = 300
_HELP_EN = (
    r"(?:help(?! but)|assist|comply|fulfil?l|engage|participate|do that|continue with|support that|"
    r"answer (?:that|this)|discuss (?:that|this)|"
    r"(?:provide|give|share|offer|create|generate|write|produce)"
    r"(?: you)?(?: with)? (?:that|this|such|any|instructions|"
    r"information (?:on|about) (?:how|that|this|such)))"
)
_CANNOT_EN = (
    r"(?:can't|cannot|can not|won't(?: be able to)?|will not|must decline to|have to decline to|"
    r"(?:am|'m) (?:unable|not able|not permitted|not allowed) to)"
)

_PHRASES = {
    "en": (
        rf"\bi ?{_CANNOT_EN} {_HELP_EN}",
        r"\bas an? (?:ai|artificial intelligence|large language model|language model)\b[^.!?\n]{0,60}"
        r"\bi(?: ?'m| am)? ?(?:can't|cannot|unable|not able|don't have (?:personal|the ability)|"
        r"do not have (?:personal|the ability)|am not programmed)",
        r"\bi(?: ?'m| am) not comfortable (?:helping|assisting|providing|writing|discussing|with)",
        r"\b(?:goes against|violates?|against) my (?:guidelines|programming|policy|policies|principles)\b",
    ),
    "de": (
        r"\b(?:dabei|damit|hierbei|das|diese anfrage|diese frage)\b[^.!?\n]{0,20}\bkann ich\b[^.!?\n]{0,30}"
        r"\bnicht (?:weiter)?(?:helfen|unterstützen|beantworten|nachkommen|erfüllen|bereitstellen)\b",
        r"\bich kann\b[^.!?\n]{0,50}\bnicht (?:weiter)?(?:helfen|unterstützen|beantworten|nachkommen|"
        r"erfüllen|bereitstellen)\b",
        r"\bals (?:ki|künstliche intelligenz|sprachmodell|ki-[\w-]+)\b[^.!?\n]{0,60}\b(?:kann|darf) ich "
        r"(?:\w+ ){0,3}(?:nicht|kein)",
    ),
    "fr": (
        r"\bje ne (?:peux|puis) (?:malheureusement )?pas (?:vous |t'|te )?(?:aider|assister|répondre à c|"
        r"fournir (?:d|c)|donner suite)",
        r"\bje ne suis pas en mesure de (?:vous |t'|te )?(?:aider|assister|répondre à c|fournir)",
        r"\ben tant qu(?:'|e )(?:ia|intelligence artificielle|assistant|modèle de langage)\b[^.!?\n]{0,60}"
        r"\bje ne (?:peux|suis|dispose)",
    ),
    "es": (
        r"\bno (?:puedo|podemos) (?:ayudar(?:te|le|les|los)?|asistir(?:te|le)?|cumplir con|"
        r"proporcionar(?:te|le)? (?:es|ning|instr|inform)|responder a es)",
        r"\bcomo (?:modelo de lenguaje|ia|inteligencia artificial|asistente)\b[^.!?\n]{0,60}\bno "
        r"(?:puedo|tengo)",
    ),
    "it": (
        r"\bnon posso (?:aiutar(?:ti|la|vi|lo)?|assister(?:ti|la|vi|lo)?|soddisfare|rispondere a quest|"
        r"fornir(?:e|ti|le) (?:quest|istruz|inform))",
        r"\bcome (?:ia|intelligenza artificiale|modello linguistico)\b[^.!?\n]{0,60}\bnon (?:posso|ho)",
    ),
    "pt": (
        r"\bnão posso (?:ajudar|ajudá-l[oa]|te ajudar|atender a|cumprir|responder a ess|"
        r"fornecer (?:ess|instru|inform|nenhum))",
        r"\bcomo (?:um )?(?:ia|inteligência artificial|modelo de linguagem)\b[^.!?\n]{0,60}\bnão "
        r"(?:posso|tenho)",
    ),
    "nl": (
        r"\b(?:daar|hier)(?:bij|mee)? kan ik (?:je |u |jou )?(?:helaas )?niet (?:bij |mee )?helpen\b",
        r"\bik kan (?:je |u |jou )?(?:hier|daar)?(?:bij|mee)? ?(?:helaas )?niet (?:bij |mee )?helpen\b",
        r"\bals (?:ai|taalmodel|kunstmatige intelligentie)\b[^.!?\n]{0,60}\bkan ik (?:\w+ )?(?:niet|geen)\b",
    ),
    "pl": (
        r"\bnie mog[ęe] (?:ci |panu |pani |państwu )?(?:w tym |z tym )?(?:pomóc|spełnić|"
        r"udzielić (?:tak|t[aeę]|instr)|dostarczyć (?:tak|t[aeę]|instr))",
    ),
    "ru": (
        r"\bя не могу (?:вам |тебе )?(?:с этим |в этом )?(?:помочь|выполнить (?:эт|ваш)|"
        r"предоставить (?:эт|так|инстр)|ответить на этот)",
        r"\bкак (?:ии|искусственный интеллект|языковая модель)\b[^.!?\n]{0,60}\bя не (?:могу|имею)",
    ),
    "uk": (
        r"\bя не можу (?:вам |тобі )?(?:з цим |у цьому |в цьому )?(?:допомогти|виконати (?:ц|ваш)|надати "
        r"(?:ц|так|інстр))",
    ),
    "tr": (
        r"\b(?:bu konuda|bu istekte|bununla ilgili|size|sana)\b[^.!?\n]{0,30}\byardımcı olam(?:am|ıyorum)\b",
    ),
    "ar": (
        r"لا (?:يمكنني|أستطيع) (?:مساعدتك|المساعدة|تقديم (?:هذ|تعليمات|معلومات)|تلبية)",
    ),
    "zh": (
        r"我?(?:无法|不能|無法)(?:为您|為您|向您|给您)?(?:提供(?:此|这|該|该|任何|相关|相關)|帮助(?:您|你)|幫助(?:您|你)|"
        r"协助|協助|回答(?:这|這|此|该|該)|满足(?:这|此|您|你|该)|滿足)",
        r"作[为為](?:一[个個])?(?:AI|人工智能|人工智慧|语言模型|語言模型)[^。！？\n]{0,30}(?:无法|不能|無法|没有|沒有)",
    ),
    "ja": (
        r"(?:申し訳|すみません|恐れ入りますが|残念ながら)[^！？\n]{0,40}(?:お手伝い|お答え|お応え|ご提供|対応)"
        r"(?:すること(?:が|は))?(?:は)?(?:でき(?:ません|かねます)|いたしかねます)",
    ),
    "ko": (
        r"(?:도와\s?드릴|도움을 드릴|제공(?:해 드릴|할)|답변(?:해 드릴|드릴|할)|응(?:할|해 드릴)) 수 없",
    ),
}  # fmt: skip
# Words without which none of a language's phrases can be there: cheaper to look for than the phrases.
_NEEDED = {
    "en": ("can't", "cannot", "can not", "won't", "will not", "decline", "unable", "not able",
           "not permitted", "not allowed", "as a", "not comfortable", " my "),
    "de": ("nicht", "kann ich", "darf ich"),
    "fr": ("je ne",),
    "es": ("no puedo", "no podemos", "como "),
    "it": ("non posso", "come "),
    "pt": ("não ",),
    "nl": ("niet", "kan ik"),
    "pl": ("nie mog",),
    "ru": ("я не ",),
    "uk": ("я не ",),
    "tr": ("olam",),
    "ar": ("لا ",),
    "zh": ("法", "能", "没有", "沒有"),
    "ja": ("ません", "かねます"),
    "ko": ("수 없",),
}  # fmt: skip
_REFUSALS = {
    language: re.compile("|".join(phrases), re.I) for language, phrases in _PHRASES.items()
}


def refuses(answer: str) -> str:
    """The language of the refusal that the answer begins with, or ""."""
    beginning = answer[:_BEGINNING].replace("’", "'").lower()
    for language, phrases in _REFUSALS.items():
        if any(word in beginning for word in _NEEDED[language]) and phrases.search(beginning):
            return language
    return ""
