"""Programs of others, run as processes of ours: docker, nitro-cli, Debian's tools.

started   one that is ended with all that it has started, whatever ends our waiting for it
bounded   one to its end, with bounds on its time and on what is read of it
"""
