"""Templates are code of strangers: they render conversations and do nothing else."""

import tracemalloc

import pytest

from enclave.engine.errors import InvalidRequest, ModelRejected
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
]

ENDLESS = [
    "{% for i in range(99999) %}{% for j in range(99999) %}0123456789{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) if i %}{% for j in range(99999) if j %}{% endfor %}{{ loop.length }}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(64) }}",
    "{% for i in [64] recursive %}{% if i %}{{ loop([i - 1, i - 1]) }}{% endif %}{% endfor %}",
]

BROKEN = ["{{", "{% endfor %}", "{{ unknown }}", "{{ messages[7].content }}", "{{ 1 / 0 }}", "{{ x|nofilter }}"]


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
