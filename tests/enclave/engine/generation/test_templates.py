"""Templates are code of strangers: they render conversations and do nothing else."""

import tracemalloc

import pytest

from enclave.engine.errors import InvalidRequest, ModelRejected
from enclave.engine.generation.sandbox import MAX_WORK
from enclave.engine.generation.templates import MAX_PROMPT_CHARACTERS, ChatTemplate

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__ }}",
    "{{ messages[0].__init__.__globals__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ range.__self__ }}",
    "{{ messages|attr('__class__') }}",
    "{{ '{0.__class__}'.format(messages) }}",
    "{{ '%s' % messages }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{{ lipsum() }}",
    "{{ cycler }}",
    "{{ open('/etc/passwd') }}",
    "{{ strftime_now('%Y') }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update(role='system') }}",
    "{{ messages.clear() }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
]

BOMBS = [
    "{{ 'x' * 1000000000 }}",
    "{{ [0] * 1000000000 }}",
    "{{ 9 ** 999999999 }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{% for i in range(1000000000) %}{% endfor %}",
    "{% for i in range(99999) %}0123456789{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x=3) %}{% for i in range(9999) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set x = 'x' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 99,
    "{% macro m0() %}x{% endmacro %}"
    + "".join(
        f"{{% macro m{i}() %}}{{% set x = m{i - 1}() %}}{{{{ x }}}}{{{{ x }}}}{{% endmacro %}}" for i in range(1, 99)
    )
    + "{{ m98() }}",
    "{% set x %}{% for i in range(90000) %}" + "x" * 9999 + "{% endfor %}{% endset %}",
    "{{ range(99999)|join('" + "x" * 9999 + "') }}",
    "{{ [range(99999)]|map('join', '" + "x" * 9999 + "')|list }}",
    "{{ range(99999)|list|tojson(indent=99999) }}",
]

ENDLESS = [
    "{% for i in range(99999) %}{% for j in range(99999) %}0123456789{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) if i %}{% for j in range(99999) if j %}{% endfor %}{{ loop.length }}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(64) }}",
    "{% for i in [64] recursive %}{% if i %}{{ loop([i - 1, i - 1]) }}{% endif %}{% endfor %}",
    "{% for i in range(40000) %}{% set x = range(99999)|join %}{% endfor %}",
    "{% for i in range(40000) %}{% if -1 in range(99999)|list %}{% endif %}{% endfor %}",
    "{% set x = range(99999)|list %}{% for i in range(40000) %}{% set y = x[1:] %}{% endfor %}",
    "{% set x = range(99999)|join(' ') %}{% for i in range(40000) %}{% set y = x.split() %}{% endfor %}",
    "{% set x = range(99999)|join(' ') %}{% for i in range(40000) %}{% set y = x.strip(x) %}{% endfor %}",
    "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}"
    "{% endfor %}{% if n.x == n.y %}{% endif %}",
    "{{ range(40000)|selectattr('real', 'in', range(40000)|list)|list|length }}",
]

BROKEN = [
    "{{",
    "{% endfor %}",
    "{{ unknown }}",
    "{{ bos_token }}{{ messages[0].content }}",
    "{% if unknown %}{% endif %}",
    "{{ messages[0].unknown.member }}",
    "{{ messages[0].unknown + 'x' }}",
    "{{ messages[0].unknown() }}",
    "{% if messages[0].__class__ %}{% endif %}",
    "{% if messages.unknown %}{% endif %}",
    "{{ messages[7].content }}",
    "{{ 1 / 0 }}",
    "{{ x|nofilter }}",
    "{% for i in range(2) %}" * 25 + "{% endfor %}" * 25,
    "{% if true %}" * 110 + "{% endif %}" * 110,
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
]


@pytest.mark.parametrize("source", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(source: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ModelRejected):
            ChatTemplate(source)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20


@pytest.mark.parametrize("source", [*ESCAPES, *BROKEN, *ENDLESS])
def test_a_template_that_does_more_is_rejected(source: str) -> None:
    with pytest.raises(ModelRejected):
        ChatTemplate(source)


def test_a_conversation_that_the_template_refuses_is_an_invalid_request() -> None:
    template = ChatTemplate("{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}hello")
    assert template.render(["user"], ["x"]) == "hello"
    with pytest.raises(InvalidRequest, match="order of the roles"):
        template.render(["system"], ["x"])


def test_more_messages_set_off_no_bomb_either() -> None:
    template = ChatTemplate(
        "{% set n = namespace(x='x') %}{% for m in messages %}{{ m.content }}{% set n.x = n.x ~ n.x %}{% endfor %}"
    )
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest):
            template.render(["user"] * 64, ["x"] * 64)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20


def test_a_long_conversation_is_little_work() -> None:
    template = ChatTemplate(
        "{% set ns = namespace(last=messages|length - 1) %}"
        "{% for m in messages[::-1] %}"
        "{% set index = messages|length - loop.index0 %}"
        "{% if m.role == 'user' and not m.content.startswith('<tool>') %}{% set ns.last = index %}{% endif %}"
        "{% endfor %}"
        "{% for m in messages %}{{ '<' ~ m.role ~ '>' + m.content.split('</think>')[-1] }}{% endfor %}"
    )
    template.render(["user", "assistant"] * 32, ["x"] * 64)
    assert template._sandbox.work < MAX_WORK // 16


def test_each_rendering_may_do_as_much_as_the_first() -> None:
    template = ChatTemplate("{% for m in messages %}{% for i in range(800) %}{{ i }}{% endfor %}{% endfor %}")
    for _ in range(3):
        assert template.render(["user"] * 64, ["x"] * 64)


def test_the_output_is_bounded() -> None:
    template = ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}")
    half = "x" * (MAX_PROMPT_CHARACTERS // 2)
    assert len(template.render(["user", "user"], [half, half])) == MAX_PROMPT_CHARACTERS
    with pytest.raises(InvalidRequest, match="at most"):
        template.render(["user", "user"], [half, half + "x"])


def test_nothing_is_escaped() -> None:
    assert ChatTemplate("<&{{ messages[0].content }}").render(["user"], ["'<&>'"]) == "<&'<&>'"


def test_the_usual_constructs_work() -> None:
    source = """
    {%- set ns = namespace(turns=0) %}
    {%- for message in messages %}
        {%- if message['role'] == 'user' %}{% set ns.turns = ns.turns + 1 %}{% endif %}
        {%- if not loop.last %}{% continue %}{% endif %}
        {{- '<' + message.role|upper + ':' + message['content'] | trim + '>' }}
    {%- endfor %}
    {%- if tools %}{{ tools | tojson }}{% endif %}
    {%- if add_generation_prompt %}{{ ns.turns }}{% endif %}"""
    assert ChatTemplate(source).render(["user", "assistant", "user"], ["a", "b", "c"]) == "<USER:c>2"


@pytest.mark.parametrize(
    "source",
    [
        "{% if messages[0].tool_calls %}no{% endif %}yes",
        "{% if not messages[0]['tool_calls'] %}yes{% endif %}",
        "{% if messages[0].name == 'x' or messages[0].name != messages[0].other %}no{% endif %}yes",
        "{% if messages[0].tool_calls is defined or 'tool_calls' in messages[0] %}no{% endif %}yes",
        "{% for call in messages[0].tool_calls %}no{% endfor %}{{ messages[0].reasoning_content }}yes",
        "{{ 'no' if messages[0].tool_calls|length else 'yes' }}",
        "{% if custom_tools is defined %}no{% endif %}{% if not tools is defined %}no{% endif %}yes",
        "{% set calls = {messages[0].name: 'yes'} %}{{ calls[messages[0].other] }}",
    ],
)
def test_messages_are_asked_for_members_that_they_do_not_have(source: str) -> None:
    assert ChatTemplate(source).render(["user"], ["x"]) == "yes"


def test_the_name_that_a_template_misses_is_told() -> None:
    with pytest.raises(ModelRejected, match="UndefinedError: 'bos_token' is undefined"):
        ChatTemplate("{{ bos_token }}")
