"""The half that the door was built with."""

import json

from door_parts.public_forms import PublicForm, asked, one, told
from door_parts.public_forms.words import (
    CHATS,
    CODE,
    DISFLUENT,
    FACTS,
    INTENTS,
    NEWS,
    QUERIES,
    SUMS,
    TASKS,
)

F, T, C = FACTS[0], TASKS[0], CHATS[0]
ALTERNATE = [told(text) if i % 2 else asked(text) for i, text in enumerate(C)]


def questions() -> list[PublicForm]:
    """Questions with their answers, beside passages or alone."""
    squad = [
        {
            "id": f"5733be28{i:04x}",
            "title": f.title,
            "context": f.passage,
            "question": f.question,
            "answers": {"text": [f.answer], "answer_start": [f.passage.find(f.answer)]},
        }
        for i, f in enumerate(FACTS)
    ]
    trivia = [
        {
            "question": f.question,
            "question_id": f"tc_{i}",
            "question_source": "http://www.triviacountry.com/",
            "entity_pages": {"title": [f.title], "filename": [f"{f.title}.txt"]},
            "search_results": {"title": [], "url": []},
            "answer": {
                "aliases": [f.answer, f.answer.title()],
                "normalized_aliases": [f.answer.lower()],
                "matched_wiki_entity_name": "",
                "normalized_value": f.answer.lower(),
                "type": "WikipediaEntity",
                "value": f.answer,
            },
        }
        for i, f in enumerate(FACTS)
    ]
    boolq = [
        {
            "question": f"{f.question[:-1].lower()} and is it told",
            "title": f.title,
            "answer": i % 3 != 0,
            "passage": f.passage,
        }
        for i, f in enumerate(FACTS)
    ]
    disfl = {f"5ad2c{i}": {"original": o, "disfluent": d} for i, (o, d) in enumerate(DISFLUENT)}
    hotpot = [
        {
            "_id": f"5a8b57{i}",
            "answer": f.answer,
            "question": f.question,
            "supporting_facts": [[f.title, 0], [FACTS[i - 1].title, 0]],
            "context": [[g.title, [g.passage]] for g in (f, FACTS[i - 1])],
            "type": "bridge",
            "level": "hard",
        }
        for i, f in enumerate(FACTS)
    ]
    sciq = [
        {
            "question": f.question,
            "distractor3": "a lake",
            "distractor1": FACTS[i - 1].answer,
            "distractor2": FACTS[i - 2].answer,
            "correct_answer": f.answer,
            "support": f.passage,
        }
        for i, f in enumerate(FACTS)
    ]
    with_passage = [one(F.question, F.answer, F.passage)]
    return [
        PublicForm("SQuAD", "train.jsonl", squad, with_passage),
        PublicForm("TriviaQA", "rc.nocontext.jsonl", trivia, [one(F.question, F.answer)]),
        PublicForm(
            "BoolQ", "train.jsonl", boolq, [one(str(boolq[0]["question"]), "false", F.passage)]
        ),
        PublicForm("DISFL-QA", "train.json", disfl, [one(DISFLUENT[0][1], DISFLUENT[0][0])]),
        PublicForm("HotpotQA", "hotpot_dev.json", hotpot, [one(F.question, F.answer)]),
        PublicForm("SciQ", "train.json", sciq, [one(F.question, F.answer), *with_passage]),
    ]


def tasks() -> list[PublicForm]:
    """Instructions and what was answered."""
    dolly = [{"instruction": i, "context": c, "response": r, "category": k} for i, c, r, k in TASKS]
    alpaca = [{"instruction": i, "input": c, "output": r} for i, c, r, _ in TASKS]
    orca = [
        {
            "id": f"niv.{n}",
            "system_prompt": "You are an AI assistant." if n % 2 else "",
            "question": f"{i}\n{c}",
            "response": r,
        }
        for n, (i, c, r, _) in enumerate(TASKS)
    ]
    helpsteer = [
        {
            "prompt": i,
            "response": r,
            "helpfulness": n % 5,
            "correctness": 3,
            "coherence": 4,
            "complexity": 1,
            "verbosity": n % 3,
        }
        for n, (i, c, r, _) in enumerate(TASKS)
    ]
    feedback = [
        {
            "source": "sharegpt",
            "instruction": f.question,
            "models": ["alpaca-7b", "gpt-4"],
            "completions": [
                {
                    "annotations": {"helpfulness": {"Rating": "2", "Rationale": "It is wrong."}},
                    "custom_system_prompt": "You are an AI assistant that tells the truth.",
                    "model": "alpaca-7b",
                    "principle": "honesty",
                    "response": f.wrong,
                    "overall_score": 3.5,
                },
                {
                    "annotations": {"helpfulness": {"Rating": "5", "Rationale": "It is right."}},
                    "custom_system_prompt": "As an AI assistant, be helpful.",
                    "model": "gpt-4",
                    "principle": "helpfulness",
                    "response": f.explained,
                    "overall_score": 8.5,
                },
            ],
            "correct_answers": ["None"],
            "incorrect_answers": ["None"],
        }
        for f in FACTS
    ]
    bitext = "flags,instruction,category,intent,response\n" + "".join(
        f'BQ,"{q}",CARD,{k},"I can help: {k.replace("_", " ")} is under Cards, point {n}."\n'
        for n, (q, k) in enumerate(INTENTS)
    )
    return [
        PublicForm("Dolly", "databricks-dolly-15k.jsonl", dolly, [one(T[0], T[2], T[1])]),
        PublicForm("Alpaca", "alpaca_data.json", alpaca, [one(T[0], T[2], T[1])]),
        PublicForm(
            "OpenOrca",
            "1M-GPT4-Augmented.jsonl",
            orca,
            [one(T[0], T[2], T[1]), [("system", ()), *one(T[0], T[2])]],
        ),
        PublicForm("HelpSteer", "train.jsonl", helpsteer, [one(T[0], T[2])]),
        PublicForm("UltraFeedback", "sharegpt.jsonl", feedback, [one(F.question, F.explained)]),
        PublicForm(
            "Bitext",
            "Bitext_Customer_Support.csv",
            bitext,
            [one(INTENTS[0][0], "I can help: card arrival is under Cards, point 0.")],
        ),
    ]


def talks() -> list[PublicForm]:
    """Conversations."""
    schema_guided = [
        {
            "dialogue_id": f"1_0000{i}",
            "services": ["Restaurants_1"],
            "turns": [
                {
                    "frames": [{"actions": [], "service": "Restaurants_1", "slots": []}],
                    "speaker": "SYSTEM" if n % 2 else "USER",
                    "utterance": text,
                }
                for n, text in enumerate(chat)
            ],
        }
        for i, chat in enumerate(CHATS)
    ]
    multiwoz = {
        f"SNG0{i}.json": {
            "goal": {"restaurant": {}, "message": ["You want to dine"]},
            "log": [
                {"text": text, "metadata": {"taxi": {"book": []}} if n % 2 else {}}
                for n, text in enumerate(chat)
            ],
        }
        for i, chat in enumerate(CHATS)
    }
    xtuner = [
        {
            "conversation": [
                {"system": "You are a helper.", "input": chat[0], "output": chat[1]},
                {"input": chat[2], "output": chat[3]},
            ]
        }
        for chat in CHATS
    ]
    sharegpt = [
        {
            "id": f"QWJh{i}_0",
            "conversations": [
                {"from": "gpt" if n % 2 else "human", "value": text} for n, text in enumerate(chat)
            ],
        }
        for i, chat in enumerate(CHATS)
    ]
    lima = [
        {"conversations": chat[:4] if i == 0 else chat[:2], "source": "stackexchange"}
        for i, chat in enumerate(CHATS)
    ]
    wild = [
        {
            "conversation_hash": f"{i:032x}",
            "model": "gpt-4-0314",
            "timestamp": f"2023-04-09T00:0{i}:00",
            "conversation": [
                {
                    "content": text,
                    "language": "English",
                    "redacted": False,
                    "role": "assistant" if n % 2 else "user",
                    "toxic": False,
                    "turn_identifier": 1000 + n,
                }
                for n, text in enumerate(chat)
            ],
            "turn": 2,
            "language": "English",
            "openai_moderation": [{"flagged": False}],
            "toxic": False,
            "redacted": False,
        }
        for i, chat in enumerate(CHATS)
    ]
    coqa = [
        {
            "source": "wikipedia",
            "story": f.passage,
            "questions": [f.question, "Is it told?"],
            "answers": {
                "input_text": [f.answer, "yes"],
                "answer_start": [1, 2],
                "answer_end": [3, 4],
            },
        }
        for f in FACTS
    ]
    daily = [{"dialog": chat, "act": [3, 4, 2, 1], "emotion": [0, 0, 0, 4]} for chat in CHATS]
    tree = [
        {
            "message_tree_id": f"6ab2{i}",
            "tree_state": "ready_for_export",
            "prompt": {
                "message_id": f"6ab2{i}",
                "text": chat[0],
                "role": "prompter",
                "lang": "en",
                "replies": [
                    {
                        "message_id": f"7b{i}",
                        "text": chat[1],
                        "role": "assistant",
                        "lang": "en",
                        "rank": 0,
                        "replies": [],
                    },
                    {
                        "message_id": f"8b{i}",
                        "text": "No idea.",
                        "role": "assistant",
                        "lang": "en",
                        "rank": 1,
                        "replies": [],
                    },
                ],
            },
        }
        for i, chat in enumerate(CHATS)
    ]
    bench = [
        {
            "question_id": 81 + i,
            "category": "writing",
            "turns": [t[0] + " " + t[1], f"Take your answer and make it {n} words long."],
        }
        for i, (t, n) in enumerate(zip(TASKS, range(5, 13), strict=True))
    ]
    return [
        PublicForm("Schema-Guided Dialogue", "dialogues_001.json", schema_guided, [ALTERNATE]),
        PublicForm("MultiWOZ 2.1", "data.json", multiwoz, [ALTERNATE]),
        PublicForm(
            "XTuner", "train.json", xtuner, [[("system", ("You are a helper.",)), *ALTERNATE]]
        ),
        PublicForm("ShareGPT", "sg_90k_part1.json", sharegpt, [ALTERNATE]),
        PublicForm("LIMA", "train.jsonl", lima, [ALTERNATE]),
        PublicForm("WildChat", "train.jsonl", wild, [ALTERNATE]),
        PublicForm(
            "CoQA",
            "train.jsonl",
            coqa,
            [
                [asked(F.passage, F.question), told(F.answer), asked("Is it told?"), told("yes")],
                [
                    ("system", (F.passage,)),
                    *one(F.question, F.answer),
                    *one("Is it told?", "yes"),
                ],
            ],
        ),
        PublicForm("DailyDialog", "train.jsonl", daily, [ALTERNATE]),
        PublicForm("OASST trees", "2023-04-12_oasst_ready.trees.jsonl", tree, [one(C[0], C[1])]),
        PublicForm("MT-Bench", "question.jsonl", bench, []),
    ]


def others() -> list[PublicForm]:
    """Preferences, sums, code, labels and texts."""
    human = [
        {
            "chosen": f"\n\nHuman: {f.question}\n\nAssistant: {f.explained}",
            "rejected": f"\n\nHuman: {f.question}\n\nAssistant: {f.wrong}",
        }
        for f in FACTS
    ]
    shp = [
        {
            "post_id": f"bjwsi{i}",
            "domain": "askhistorians_train",
            "upvote_ratio": 0.98,
            "history": f.question,
            "c_root_id_A": f"em{i}",
            "c_root_id_B": f"en{i}",
            "created_at_utc_A": 1556758165 + i,
            "created_at_utc_B": 1556758265 + i,
            "score_A": 52 if i % 2 else 5,
            "score_B": 26,
            "human_ref_A": f.explained if i % 2 else f.wrong,
            "human_ref_B": f.wrong if i % 2 else f.explained,
            "labels": i % 2,
            "seconds_difference": 100.0,
            "score_ratio": 2.0,
        }
        for i, f in enumerate(FACTS)
    ]
    gsm = [{"question": q, "answer": f"{a}\n#### {r}"} for q, a, r in SUMS]
    mbpp = [
        {
            "task_id": 600 + i,
            "text": text,
            "code": head + body,
            "test_list": [test],
            "test_setup_code": "",
            "challenge_test_list": [],
        }
        for i, (text, head, body, test) in enumerate(CODE)
    ]
    spider = [
        {
            "db_id": db,
            "query": sql,
            "query_toks": sql.split(),
            "query_toks_no_value": sql.lower().split(),
            "question": q,
            "question_toks": q.split(),
            "sql": {"from": {"table_units": []}, "select": [False, []]},
        }
        for q, sql, db, _ in QUERIES
    ]
    banking = "text,category\n" + "".join(f'"{q}",{k}\n' for q, k in INTENTS)
    clinc = {
        "val": [[q, k] for q, k in INTENTS[5:]],
        "train": [[q, k] for q, k in INTENTS],
        "oos_train": [["how are the stars made", "oos"]],
    }
    xsum = [{"document": a, "summary": s, "id": str(35232142 + i)} for i, (a, s) in enumerate(NEWS)]
    tool = {
        "name": "get_fee",
        "description": "The fee of a card",
        "parameters": {"card": {"description": "Which card", "type": "str"}},
    }
    xlam = [
        {
            "id": i,
            "query": f"What is the fee of card number {i}?",
            "answers": json.dumps([{"name": "get_fee", "arguments": {"card": str(i)}}]),
            "tools": json.dumps([tool]),
        }
        for i in range(8)
    ]
    quora = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n" + "".join(
        f"{i}\t{2 * i}\t{2 * i + 1}\t{o}\t{d}\t{i % 2}\n" for i, (o, d) in enumerate(DISFLUENT)
    )
    wiki = [{"text": f" = {f.title} = \n\n {f.passage} {f.explained}\n"} for f in FACTS]
    sums = SUMS[0]
    return [
        PublicForm(
            "HH-RLHF", "train.jsonl.gz", human, [one(F.question, F.explained)], rejected=F.wrong
        ),
        PublicForm("SHP", "train.json", shp, [one(F.question, F.explained)], rejected=F.wrong),
        PublicForm("GSM8K", "train.jsonl", gsm, [one(sums[0], f"{sums[1]}\n#### {sums[2]}")]),
        PublicForm("MBPP", "mbpp.jsonl", mbpp, [one(CODE[0][0], CODE[0][1] + CODE[0][2])]),
        PublicForm("Spider", "train_spider.json", spider, [one(QUERIES[0][0], QUERIES[0][1])]),
        PublicForm("BANKING77", "train.csv", banking, [one(*INTENTS[0])]),
        PublicForm("CLINC150", "data_full.json", clinc, [one(*INTENTS[0])]),
        PublicForm("XSum", "train.jsonl", xsum, [one(*NEWS[0])]),
        PublicForm(
            "xLAM 60k",
            "xlam_function_calling_60k.json",
            xlam,
            [one("What is the fee of card number 0?", str(xlam[0]["answers"]))],
        ),
        PublicForm(
            "Quora question pairs",
            "quora_duplicate_questions.tsv",
            quora,
            [one(DISFLUENT[0][0], "0", DISFLUENT[0][1])],
        ),
        PublicForm("WikiText", "train.jsonl", wiki, []),
    ]


FORMS = [*questions(), *tasks(), *talks(), *others()]
