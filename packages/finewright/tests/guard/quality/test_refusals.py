"""Refusals in their languages, and what is close to one and is none."""

# ruff: noqa: RUF001 - each sentence stands in its own script

import pytest

from finewright.guard.quality.refusals import refuses

REFUSALS = [
    ("en", "I'm sorry, but I can't assist with that request."),
    ("en", "I’m sorry, I cannot help with that."),
    ("en", "Sorry, I'm unable to provide instructions for this."),
    ("en", "As an AI language model, I don't have personal opinions."),
    ("en", "I am not comfortable writing such a letter."),
    ("en", "That goes against my guidelines."),
    ("en", "I must decline to participate in this."),
    ("de", "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen."),
    ("de", "Ich kann diese Anfrage leider nicht beantworten."),
    ("de", "Als KI-Assistent kann ich keine Rechtsberatung geben."),
    ("fr", "Je suis désolé, mais je ne peux pas vous aider avec cette demande."),
    ("fr", "En tant qu'intelligence artificielle, je ne peux pas donner d'avis."),
    ("es", "Lo siento, pero no puedo ayudarte con eso."),
    ("es", "Como modelo de lenguaje, no puedo opinar."),
    ("it", "Mi dispiace, ma non posso aiutarti con questa richiesta."),
    ("pt", "Desculpe, mas não posso ajudar com isso."),
    ("nl", "Sorry, daar kan ik je niet mee helpen."),
    ("nl", "Het spijt me, ik kan u hier niet bij helpen."),
    ("pl", "Przepraszam, ale nie mogę ci w tym pomóc."),
    ("ru", "Извините, но я не могу помочь с этим."),
    ("uk", "Вибачте, я не можу допомогти з цим."),
    ("tr", "Üzgünüm, bu konuda yardımcı olamam."),
    ("ar", "عذرًا، لا يمكنني مساعدتك في ذلك."),
    ("zh", "抱歉，我无法提供相关信息。"),
    ("zh", "作为一个AI语言模型，我不能表达个人观点。"),
    ("ja", "申し訳ありませんが、そのご質問にはお答えできません。"),
    ("ko", "죄송하지만 그 요청은 도와드릴 수 없습니다."),
]
ANSWERS = [
    "I'm sorry to hear that your parcel is late. It will arrive tomorrow.",
    "I cannot find an order with that number; please check it.",
    "You cannot help everyone, but you can start here.",
    "I can't help but notice how well this fits.",
    "Sorry for the delay! Your refund is on its way.",
    "We are unable to deliver on Sundays.",
    "I can help you with that.",
    "An AI language model predicts the next token.",
    "Ich kann Ihnen dabei gern helfen.",
    "Es tut mir leid, Ihre Karte wurde gesperrt; eine neue ist unterwegs.",
    "Ich kann die Bestellung nicht finden.",
    "Je peux vous aider avec cette demande.",
    "Je ne trouve pas votre commande.",
    "No puedo encontrar su pedido.",
    "Non posso trovare il suo ordine.",
    "Ik kan uw bestelling niet vinden.",
    "Nie mogę znaleźć tego zamówienia.",
    "Я не могу найти ваш заказ.",
    "抱歉，我们暂时没有找到您的订单。",
    "申し訳ありませんが、ご注文が見つかりません。",
    "The function cannot provide this value before it is called.",
    "",
]


@pytest.mark.parametrize(("language", "answer"), REFUSALS)
def test_a_refusal_is_told_by_its_language(language: str, answer: str) -> None:
    assert refuses(answer) == language


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_no_refusal(answer: str) -> None:
    assert refuses(answer) == ""


def test_only_the_beginning_is_read() -> None:
    assert refuses("word " * 100 + "I cannot help with that.") == ""
