"""`python -m proxy --listen ADDRESS --allow HOST:PORT …`: the enclave's way out, to listed destinations only."""

import json
import sys

from proxy.arguments import UsageError
from proxy.process import run


def main() -> None:
    """Serve until SIGTERM or SIGINT; exit with 2 and one line when an argument cannot be used."""
    try:
        run(sys.argv[1:], "python -m proxy")
    except UsageError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": {"code": "usage", "reason": None, "message": str(error)}}))
        sys.stderr.write(f"error: {error}; see python -m proxy --help\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
