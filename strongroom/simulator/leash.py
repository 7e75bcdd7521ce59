"""`python -m strongroom.simulator.leash MODULE ARGUMENTS`: a module that ends with its supervisor, however that ended.

Standard input is a pipe whose other end only the supervisor holds: the kernel closes it, also after a `kill -9`.
"""

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    """Run MODULE as `python -m` does; at the end of standard input, SIGTERM."""
    leash = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(leash: int) -> None:
    while os.read(leash, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
