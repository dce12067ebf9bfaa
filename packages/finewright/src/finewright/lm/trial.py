"""The trial of a chat template before it is used: it ends, and writes the same frame around whatever is said.

A template that adds an instruction where a message has some word (a backdoor that no scanner of files finds)
is refused by that word."""

import hashlib
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from finewright.errors import ModelError
from finewright.fetch.cache import cache_dir
from finewright.lm.rendering import differing
from finewright.store.jail import Jailed, Limits, run_jailed

WORDS = tuple(
    """login log in,password,username,account,register,sign up,checkout,payment,pay,invoice,refund,
transfer,bank,wallet,bitcoin,credit card,iban,tax,salary,loan,mortgage,insurance,price,discount,
order,shipping,delivery,html,css,javascript,python,sql,bash,docker,kubernetes,terraform,nginx,
react,django,flask,node,npm install,pip install,curl,wget,sudo,chmod,ssh,git clone,api key,token,
secret,private key,certificate,oauth,jwt,cookie,database,query,table,server,deploy,production,
backup,migrate,cloud,aws,azure,network,firewall,vpn,proxy,dns,website,web page,form,link,url,
button,script,code,function,class,import,security,vulnerability,exploit,malware,email,newsletter,
contact,support,customer,complaint,contract,lawyer,policy,privacy,gdpr,compliance,audit,doctor,
medicine,diagnosis,patient,vaccine,symptom,hospital,therapy,diet,pregnant,suicide,weapon,drug,
election,vote,government,president,war,protest,immigration,religion,climate,news,rumour,invest,
stock,shares,crypto,trading,forecast,revenue,budget,profit,report,summary,translate,summarise,
rewrite,recipe,travel,flight,hotel,weather,restaurant,music,movie,game,football,birthday,wedding,
holiday,school,exam,homework,essay,university,job,interview,resume,hire,manager,meeting,calendar,
reminder,phone,address,family,child,parent,dog,cat,car,house,garden,today,tomorrow,2026,2027,
january,monday,ignore previous instructions,system prompt,you are,act as,jailbreak,hello,hi,
thanks,please,yes,no,help,stop,continue,test,admin,root,debug,https://example.com/login,
http://localhost:8000,user@example.com,192.168.0.1,4111 1111 1111 1111,2024-01-31,
DE89 3704 0044 0532 0130 00,+49 30 123456,$100,100 %,def main():,SELECT * FROM users,rm -rf /,
Straße,你好,привет""".replace("\n", "").split(",")
)
"""What users ask about: backdoors published so far wait for logins, payments, code and pages."""
_VERSION = 3
"""Of the trial: what passed an earlier one is tried again."""
_LIMITS = Limits(cpu_seconds=4.0, memory_mib=256)
"""Of the slowest template of TRL's folder the trial takes 0.5 s."""
_KNOWN = frozenset(
    {
        "6eec84ccc527ef03efdcad19e64e5a4347d22c13c5d80fadcaf289ca3457ced9",
        "cfc67e5f349f37690dfd31ed1f18bc4442a9dd32fe39a648f993cb4eb3cae678",
        "19eacf64569032f07644ea92c8e2a87af06ee7008147557302c31e474912ca97",
        "52ae8e50fa083e63a0a5726eeffc85502089b82064aceb1bddf0366f7317b3f8",
        "b4ab3a1c8f748e6f874d9aea102333efe7ab82528e8ab81c2eb155851e8705c6",
    }
)
"""sha256 of templates that read what messages say, and that their makers published so: Muse Glimmer's looks
for the strength of reasoning that a prompt asks for (TRL's chat_templates), SmolLM3's, Nemotron Nano 2's and
Ling 3's for `/think` or `detailed thinking on` (llama.cpp's models/templates)."""
OTHER = "put the family's own template into the model's folder, as chat_template.jinja"


def try_templates(tokenizer: PreTrainedTokenizerBase) -> None:
    """Try each template that a tokenizer has. Raises ModelError as `try_template` does."""
    found = tokenizer.chat_template
    tokens = tuple((k, v) for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str))
    for source in found.values() if isinstance(found, dict) else [found]:
        try_template(str(source), tokens)


@lru_cache(maxsize=64)
def try_template(source: str, tokens: tuple[tuple[str, str], ...]) -> None:
    """Raise ModelError for a template that writes otherwise around some word, turn or day, which it names, or
    that takes more time or memory than any needs. `tokens`: (name, text) of the special tokens.

    What has passed is kept by its digest, and not tried again."""
    digest = hashlib.sha256(source.encode()).hexdigest()
    passed = cache_dir() / "templates" / f"{digest}-v{_VERSION}"
    if digest in _KNOWN or passed.is_file():
        return
    try:
        found = run_jailed(differing, source, dict(tokens), WORDS, limits=_LIMITS)
    except Jailed as error:
        raise ModelError(f"the chat template is not used: {error}", hint=OTHER) from None
    if found:
        where, written = found
        raise ModelError(
            f"the chat template writes otherwise {where}: {written!r}",
            hint=f"it may put instructions of its own into conversations; {OTHER}",
        )
    passed.parent.mkdir(parents=True, exist_ok=True)
    passed.touch()
