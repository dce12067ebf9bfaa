"""The syntaxes of calls and the marks of thoughts that models are known to write."""

# ruff: noqa: RUF001 - DeepSeek writes its marks with a wide bar

import re

from finewright.judge.answer import THINK, MarkPair
from finewright.lm.answers.calls import CallSyntax, JsonCalls, NamedCalls
from finewright.lm.answers.channels import Channels
from finewright.lm.answers.literals import GemmaCalls, PythonCalls
from finewright.lm.answers.tagged import TaggedCalls

THOUGHTS: tuple[MarkPair, ...] = (
    THINK,
    MarkPair("[THINK]", "[/THINK]"),
    MarkPair("<|channel>thought", "<channel|>"),
    MarkPair("<|START_THINKING|>", "<|END_THINKING|>"),
    MarkPair("<seed:think>", "</seed:think>"),
    MarkPair("◁think▷", "◁/think▷"),
)

_QWEN_CODER = TaggedCalls(
    marks=("<tool_call>", "<function="),
    block=re.compile(
        r"(?:<tool_call>\s*)?<function=(?P<name>[^>\n]+)>(?P<body>.*?)</function>\s*</tool_call>",
        re.DOTALL,
    ),
    argument=re.compile(
        r"<parameter=(?P<key>[^>\n]+)>\n?(?P<value>.*?)\n?</parameter>(?=\s*(?:<parameter=|\Z))",
        re.DOTALL,
    ),
)
_GLM = TaggedCalls(
    marks=("<tool_call>",),
    block=re.compile(
        r"<tool_call>\s*(?P<name>[\w.:-]+)\s*(?P<body>(?:<arg_key>.*?)?)\s*</tool_call>", re.DOTALL
    ),
    argument=re.compile(
        r"<arg_key>(?P<key>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>"
        r"(?=\s*(?:<arg_key>|\Z))",
        re.DOTALL,
    ),
)
_INVOKE = TaggedCalls(
    marks=("invoke name=", "function_calls>", "<minimax:tool_call>"),
    block=re.compile(
        r'<(?P<space>[^<>/\s]*?)invoke name="(?P<name>[^"\n]+)">(?P<body>.*?)</(?P=space)invoke>',
        re.DOTALL,
    ),
    argument=re.compile(
        r'<(?P<space>[^<>/\s]*?)parameter name="(?P<key>[^"\n]+)"[^>\n]*>(?P<value>.*?)'
        r"</(?P=space)parameter>(?=\s*(?:<[^<>/\s]*?parameter name=|\Z))",
        re.DOTALL,
    ),
    around=re.compile(r"</?[^<>/\s]*(?:function_calls|tool_calls?)>"),
)
_MISTRAL_NAMED = NamedCalls(
    marks=("[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"),
    head=re.compile(
        r"\[TOOL_CALLS\]\s*(?P<name>[\w.:-]+)\s*(?:\[CALL_ID\][^\[]*)?(?:\[ARGS\]|(?=\{))"
    ),
    tail=re.compile(r"\s*"),
)
_DEEPSEEK = NamedCalls(
    marks=("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>"),
    head=re.compile(r"<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>(?P<name>[^\n<]+)\n```json\n)"),
    tail=re.compile(r"\s*```\s*<｜tool▁call▁end｜>\s*"),
    around=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
)
_DEEPSEEK_LATER = NamedCalls(
    marks=_DEEPSEEK.marks,
    head=re.compile(r"<｜tool▁call▁begin｜>(?P<name>[^\n<]+)<｜tool▁sep｜>"),
    tail=re.compile(r"\s*<｜tool▁call▁end｜>\s*"),
    around=_DEEPSEEK.around,
)
_KIMI = NamedCalls(
    marks=("<|tool_calls_section_begin|>", "<|tool_call_begin|>"),
    head=re.compile(
        r"<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[^\n<:]+)(?::[0-9]+)?\s*"
        r"<\|tool_call_argument_begin\|>"
    ),
    tail=re.compile(r"\s*<\|tool_call_end\|>\s*"),
    around=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
)

CALLS: tuple[CallSyntax, ...] = (
    JsonCalls("<tool_call>", "</tool_call>"),
    _QWEN_CODER,
    _GLM,
    _INVOKE,
    JsonCalls("[TOOL_CALLS]"),
    _MISTRAL_NAMED,
    _DEEPSEEK,
    _DEEPSEEK_LATER,
    _KIMI,
    GemmaCalls("<|tool_call>", "<tool_call|>"),
    PythonCalls("<|tool_call_start|>", "<|tool_call_end|>"),
    JsonCalls("<|tool_call|>", "<|/tool_call|>"),
    JsonCalls("<|START_ACTION|>", "<|END_ACTION|>", "tool_name", "parameters"),
    JsonCalls("", "", "name", "parameters"),
    JsonCalls(""),
    PythonCalls(),
)
"""Marked ones first: without marks, much reads as a call."""

CHANNELS: tuple[Channels, ...] = (Channels(), Channels(_INVOKE))
