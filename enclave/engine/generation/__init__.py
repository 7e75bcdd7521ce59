"""Text generation in slots: many conversations of one model, stepped together by one thread (continuous batching).

Each conversation has a row of the KV cache. The rows that decode are 0..n-1, without a hole, so that a step binds the
front of the cache and computes nothing in vain; the rows that still read their prompts come behind. K/V is copied when
a conversation joins or leaves and at no other time: a copy costs a fortieth of a step for 40 tokens and half of one for
2,000 (SmolLM2-135M), and a hole in the batch would cost a row of every step. Between two decode steps at most one
chunk of one prompt runs, by turns, so that streams keep going. Prompts are not run together: the matrices of one of 40
tokens keep the cores busy already. What comes before the first chunk, template, tokens and schema, is another thread's.
"""
