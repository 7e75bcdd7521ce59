"""Tensor models: a caller's numbers in any graph, and therefore in a process of its own for each model.

inputs    that an `infer` task brings exactly what the graph asks for
messages  what the enclave and the process say to each other
incoming  one message of the process, which may lie
talk      the thread that says and hears, in step with the process or at its end
worker    the process of one model, started anew after its end
child     the main program of the process
model     the tasks of one model, as the runner takes them

The process is trusted with its graph and with the tasks that are sent to it, and with nothing else.
"""
