"""The half that was looked at when the door stood."""

from door_parts.public_forms import PublicForm, asked, one, told
from door_parts.public_forms.words import (
    CHATS,
    CODE,
    FACTS,
    GERMAN,
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
    raw = {
        "version": "1.1",
        "data": [
            {
                "title": f.title,
                "paragraphs": [
                    {
                        "context": f.passage,
                        "qas": [
                            {
                                "answers": [{"answer_start": 4, "text": f.answer}],
                                "question": f.question,
                                "id": f"56be4db0{i}",
                            }
                        ],
                    }
                ],
            }
            for i, f in enumerate(FACTS)
        ],
    }
    natural = [{"question": f.question.lower()[:-1], "answer": [f.answer]} for f in FACTS]
    hellaswag = [
        {
            "ind": i,
            "activity_label": "Cooking",
            "ctx_a": c[0],
            "ctx_b": "",
            "ctx": c[0],
            "endings": [c[1], "He flies away.", "It is a fish.", "They sing."],
            "source_id": f"wikihow~{i}",
            "split": "train",
            "label": "0",
        }
        for i, c in enumerate(CHATS)
    ]
    pubmed = [
        {
            "pubid": 21645374 + i,
            "question": f.question,
            "context": {"contexts": [f.passage], "labels": ["BACKGROUND"], "meshes": ["Rivers"]},
            "long_answer": f.explained,
            "final_decision": "yes" if i % 2 else "no",
        }
        for i, f in enumerate(FACTS)
    ]
    marco = [
        {
            "answers": [f.answer],
            "passages": {"is_selected": [1, 0], "passage_text": [f.passage, FACTS[i - 1].passage]},
            "query": f.question.lower(),
            "query_id": 1185869 + i,
            "query_type": "DESCRIPTION",
            "wellFormedAnswers": [],
        }
        for i, f in enumerate(FACTS)
    ]
    eli = [
        {
            "q_id": f"5lchat{i}",
            "title": f.question,
            "selftext": "",
            "document": "",
            "subreddit": "explainlikeimfive",
            "answers": {
                "a_id": [f"db{i}", f"dc{i}"],
                "text": [f.explained, f.wrong],
                "score": [9, 2],
            },
            "title_urls": {"url": []},
        }
        for i, f in enumerate(FACTS)
    ]
    return [
        PublicForm(
            "SQuAD, as its authors publish it",
            "train-v1.1.json",
            raw,
            [one(F.question, F.answer, F.passage)],
        ),
        PublicForm(
            "NQ open", "NQ-open.train.jsonl", natural, [one(F.question.lower()[:-1], F.answer)]
        ),
        PublicForm("HellaSwag", "hellaswag_train.jsonl", hellaswag, []),
        PublicForm(
            "PubMedQA",
            "ori_pqal.jsonl",
            pubmed,
            [
                one(F.question, F.explained),
                one(F.question, F.explained, F.passage),
                one(F.question, "no"),
            ],
        ),
        PublicForm("MS MARCO", "train_v2.1.jsonl", marco, [one(F.question.lower(), F.answer)]),
        PublicForm("ELI5", "train.jsonl", eli, [one(F.question, F.explained)]),
    ]


def tasks() -> list[PublicForm]:
    """Instructions and what was answered."""
    aya = [
        {
            "inputs": f"{i} {c}",
            "targets": r,
            "language": "English",
            "language_code": "eng",
            "annotation_type": "original-annotations",
            "user_id": f"f0ff69570{n}",
        }
        for n, (i, c, r, _) in enumerate(TASKS)
    ]
    firefly = [{"kind": k, "input": f"{i} {c}", "target": r} for i, c, r, k in TASKS]
    robots = [
        {
            "prompt": i,
            "prompt_id": f"{n:064x}",
            "messages": [{"content": i, "role": "user"}, {"content": r, "role": "assistant"}],
            "category": k,
        }
        for n, (i, _, r, k) in enumerate(TASKS)
    ]
    evals = [
        {
            "input": [
                {"role": "system", "content": "Answer in a few words."},
                {"role": "user", "content": f.question},
            ],
            "ideal": f.answer,
        }
        for f in FACTS
    ]
    nectar = [
        {
            "prompt": f"\n\nHuman: {f.question}\n\nAssistant: ",
            "answers": [
                {"answer": f.explained, "model": "gpt-4", "rank": 1.0},
                {"answer": f.wrong, "model": "llama-2-7b-chat", "rank": 2.0},
            ],
            "turns": 1,
            "num_responses": 2,
            "source": ["lmsys-chat-1m"],
            "good_natured": True,
        }
        for f in FACTS
    ]
    self_instruct = [
        {
            "id": f"seed_task_{n}",
            "name": k,
            "instruction": i,
            "instances": [{"input": c, "output": r}],
            "is_classification": False,
        }
        for n, (i, c, r, k) in enumerate(TASKS)
    ]
    return [
        PublicForm("Aya", "train.jsonl", aya, [one(T[0], T[2])]),
        PublicForm("Firefly", "firefly-train-1.1M.jsonl", firefly, [one(T[0], T[2])]),
        PublicForm("No Robots", "train.jsonl", robots, [one(T[0], T[2])]),
        PublicForm(
            "OpenAI evals",
            "samples.jsonl",
            evals,
            [[("system", ("Answer in a few words.",)), *one(F.question, F.answer)]],
        ),
        PublicForm("Nectar", "train.jsonl", nectar, [one(F.question, F.explained)]),
        PublicForm("Self-Instruct", "seed_tasks.jsonl", self_instruct, [one(T[0], T[2], T[1])]),
    ]


def talks() -> list[PublicForm]:
    """Conversations."""
    taskmaster = [
        {
            "conversation_id": f"dlg-{i}",
            "instruction_id": "restaurant-table-2",
            "utterances": [
                {"index": n, "speaker": "ASSISTANT" if n % 2 else "USER", "text": text}
                | ({"segments": []} if n == 1 else {})
                for n, text in enumerate(chat)
            ],
        }
        for i, chat in enumerate(CHATS)
    ]
    abcd = [
        {
            "convo_id": 3592 + i,
            "scenario": {"personal": {"customer_name": "joyce wu"}, "flow": "product_defect"},
            "original": [["agent" if n % 2 else "customer", text] for n, text in enumerate(chat)],
        }
        for i, chat in enumerate(CHATS)
    ]
    capybara = [
        {
            "source": "Airoboros",
            "conversation": [
                {"input": chat[0], "output": chat[1]},
                {"input": chat[2], "output": chat[3]},
            ],
        }
        for chat in CHATS
    ]
    ultrachat = [{"id": str(i), "data": chat} for i, chat in enumerate(CHATS)]
    blended = [
        {
            "personas": ["i like trains.", "i have two cats."],
            "additional_context": "",
            "previous_utterance": ["Hi there.", "Hello, how are you?"],
            "context": "empathetic_dialogues",
            "free_messages": [chat[0], chat[2]],
            "guided_messages": [chat[1], chat[3]],
            "suggestions": {"convai2": ["i see", "ok"]},
        }
        for chat in CHATS
    ]
    quac = [
        {
            "dialogue_id": f"C_{i}",
            "wikipedia_page_title": f.title,
            "background": f.passage,
            "section_title": "History",
            "context": f.passage + " CANNOTANSWER",
            "turn_ids": [f"C_{i}_q#0", f"C_{i}_q#1"],
            "questions": [f.question, "Is it told?"],
            "followups": [2, 1],
            "yesnos": [2, 0],
            "answers": {"texts": [[f.answer], ["yes"]], "answer_starts": [[3], [5]]},
            "orig_answers": {"texts": [f.answer, "yes"], "answer_starts": [3, 5]},
        }
        for i, f in enumerate(FACTS)
    ]
    toolace = [
        {
            "system": "You are an expert in composing functions.",
            "conversations": [
                {"from": "user", "value": chat[0]},
                {"from": "assistant", "value": chat[1]},
            ],
        }
        for chat in CHATS
    ]
    moss = [
        {
            "conversation_id": str(i),
            "num_turns": 2,
            "chat": {
                "turn_1": {"Human": f"<|Human|>: {chat[0]}", "MOSS": f"<|MOSS|>: {chat[1]}"},
                "turn_2": {"Human": f"<|Human|>: {chat[2]}", "MOSS": f"<|MOSS|>: {chat[3]}"},
            },
        }
        for i, chat in enumerate(CHATS)
    ]
    soda = [
        {
            "head": "PersonX asks for help",
            "relation": "xNeed",
            "narrative": f"Alan talks with Ben about something, day {i}.",
            "dialogue": chat,
            "speakers": ["Alan", "Ben", "Alan", "Ben"],
            "PersonX": "Alan",
        }
        for i, chat in enumerate(CHATS)
    ]
    system = ("system", ("You are an expert in composing functions.",))
    pairs = [*one(F.question, F.answer), *one("Is it told?", "yes")]
    return [
        PublicForm("Taskmaster", "self-dialogs.json", taskmaster, [ALTERNATE]),
        PublicForm("ABCD", "abcd_sample.json", abcd, [ALTERNATE]),
        PublicForm("Capybara", "CapybaraPure_Decontaminated.jsonl", capybara, [ALTERNATE]),
        PublicForm("UltraChat", "train_0.jsonl", ultrachat, [ALTERNATE]),
        PublicForm("Blended Skill Talk", "train.jsonl", blended, [ALTERNATE]),
        PublicForm(
            "QuAC",
            "train.jsonl",
            quac,
            [
                [("system", (F.passage,)), *pairs],
                [asked(F.passage, F.question), *pairs[1:]],
            ],
        ),
        PublicForm("ToolACE", "data.json", toolace, [[system, *one(C[0], C[1])]]),
        PublicForm(
            "MOSS",
            "conversation.json",
            moss,
            [
                [told(f"<|MOSS|>: {t}") if i % 2 else asked(t) for i, t in enumerate(C)],
                ALTERNATE,
            ],
        ),
        PublicForm("SODA", "train.jsonl", soda, [ALTERNATE]),
    ]


def others() -> list[PublicForm]:
    """Preferences, sums, code, labels and texts."""
    exchange = [
        {
            "qid": 20 + i,
            "question": f.question,
            "date": "2010/09/01",
            "metadata": ["https://ux.stackexchange.com/questions/20"],
            "response_j": f.explained,
            "response_k": f.wrong,
        }
        for i, f in enumerate(FACTS)
    ]
    steer = [
        {
            "split": "train",
            "prompt": f.question,
            "response_1": f.wrong if i % 2 else f.explained,
            "response_2": f.explained if i % 2 else f.wrong,
            "preference_strength": 2 if i % 2 else -2,
            "preference_statement": "One is right.",
        }
        for i, f in enumerate(FACTS)
    ]
    maths = [
        {
            "problem": q,
            "level": f"Level {i % 5 + 1}",
            "type": "Algebra",
            "solution": f"{a} $\\boxed{{{r}}}$",
        }
        for i, (q, a, r) in enumerate(SUMS)
    ]
    human_eval = [
        {
            "task_id": f"HumanEval/{i}",
            "prompt": head,
            "entry_point": head[4:].partition("(")[0],
            "canonical_solution": body,
            "test": f"def check(candidate):\n    {test}\n",
        }
        for i, (_, head, body, test) in enumerate(CODE)
    ]
    sql = [{"answer": s, "question": q, "context": c} for q, s, _, c in QUERIES]
    ag = "Class Index,Title,Description\n" + "".join(
        f'{i % 4 + 1},"{s}","{a}"\n' for i, (a, s) in enumerate(NEWS)
    )
    atis = "".join(f"atis_{k}, {q.lower()}\n" for q, k in INTENTS)
    samsum = [
        {
            "id": f"1381{i}",
            "summary": f"Ann asks Ben about something and he says: {chat[3].lower()}",
            "dialogue": "\r\n".join(
                f"{'Ben' if n % 2 else 'Ann'}: {text}" for n, text in enumerate(chat)
            ),
        }
        for i, chat in enumerate(CHATS)
    ]
    cnn = [{"article": a, "highlights": s, "id": f"{i:040x}"} for i, (a, s) in enumerate(NEWS)]
    opus = [{"id": str(i), "translation": {"en": e, "de": d}} for i, (e, d) in enumerate(GERMAN)]
    snli = [
        {"premise": f.passage, "hypothesis": f.explained, "label": i % 3}
        for i, f in enumerate(FACTS)
    ]
    emotion = [{"text": q, "label": i % 6} for i, (q, _) in enumerate(INTENTS)]
    rest = SUMS[0]
    pair = GERMAN[0]
    return [
        PublicForm("StackExchange paired", "train.jsonl", exchange, [one(F.question, F.explained)]),
        PublicForm(
            "HelpSteer2 preference", "preference.jsonl", steer, [one(F.question, F.explained)]
        ),
        PublicForm(
            "MATH", "train.jsonl", maths, [one(rest[0], f"{rest[1]} $\\boxed{{{rest[2]}}}$")]
        ),
        PublicForm(
            "HumanEval", "HumanEval.jsonl.gz", human_eval, [one(CODE[0][1].strip(), CODE[0][2])]
        ),
        PublicForm(
            "sql-create-context",
            "sql_create_context_v4.json",
            sql,
            [one(QUERIES[0][0], QUERIES[0][1], QUERIES[0][3])],
        ),
        PublicForm("AG News", "train.csv", ag, [one(NEWS[0][0], "1"), one(NEWS[0][1], "1")]),
        PublicForm(
            "ATIS", "atis_intents.csv", atis, [one(INTENTS[0][0].lower(), f"atis_{INTENTS[0][1]}")]
        ),
        PublicForm("SAMSum", "train.json", samsum, [one("Ann: ", samsum[0]["summary"])]),
        PublicForm("CNN/DailyMail", "train.jsonl", cnn, [one(*NEWS[0])]),
        PublicForm("OPUS books", "train.jsonl", opus, [one(*pair), one(pair[1], pair[0])]),
        PublicForm("SNLI", "train.jsonl", snli, [one(F.passage, "0", F.explained)]),
        PublicForm("Emotion", "train.jsonl", emotion, [one(INTENTS[0][0], "0")]),
    ]


FORMS = [*questions(), *tasks(), *talks(), *others()]
