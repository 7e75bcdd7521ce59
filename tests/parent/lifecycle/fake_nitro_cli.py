"""A nitro-cli that starts nothing: it takes the real one's arguments and answers with its JSON (1.5.0).

Its folder keeps the enclaves that run. `fail` there makes starts and ends fail as the real one does: an error code, a
text and a link on standard error, the number of the code as exit code.
"""

import json
import os
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_NITRO_CLI"])
RUNNING = FOLDER / "running.json"
TAKES = {
    "run-enclave": ["--eif-path", "--cpu-count", "--memory", "--enclave-cid", "--enclave-name"],
    "describe-enclaves": [],
    "terminate-enclave": ["--enclave-id"],
}


def main(command: str, *arguments: str) -> None:
    with (FOLDER / "calls").open("a") as calls:
        calls.write(f"{command} {' '.join(arguments)}\n")
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert list(options) == TAKES[command], options
    if command != "describe-enclaves" and (FOLDER / "fail").exists():
        fail(*(FOLDER / "fail").read_text().split(maxsplit=1))
    running = json.loads(RUNNING.read_text()) if RUNNING.exists() else []
    if command == "run-enclave":
        run(running, options)
    elif command == "terminate-enclave":
        terminate(running, options["--enclave-id"])
    else:
        print(json.dumps(running, indent=2))


def run(running: list[dict[str, object]], options: dict[str, str]) -> None:
    assert Path(options["--eif-path"]).is_file()
    number = len((FOLDER / "calls").read_text().split("run-enclave")) - 1
    print("Start allocating memory...", file=sys.stderr)
    enclave = {
        "EnclaveName": options["--enclave-name"],
        "EnclaveID": f"i-0123456789abcdef0-enc18b{number:08x}",
        "ProcessID": 4000 + number,
        "EnclaveCID": int(options["--enclave-cid"]),
        "NumberOfCPUs": int(options["--cpu-count"]),
        "CPUIDs": [1, 3],
        "MemoryMiB": int(options["--memory"]),
    }
    print(
        f"Started enclave with enclave-cid: {enclave['EnclaveCID']}, memory: 64 MiB, cpu-ids: [1, 3]", file=sys.stderr
    )
    print(json.dumps(enclave, indent=2))
    described = {**enclave, "State": "RUNNING", "Flags": "NONE", "Measurements": {"HashAlgorithm": "Sha384 { ... }"}}
    RUNNING.write_text(json.dumps([*running, described]))


def terminate(running: list[dict[str, object]], enclave_id: str) -> None:
    left = [each for each in running if each["EnclaveID"] != enclave_id]
    if len(left) == len(running):
        fail("40", "E40")
    RUNNING.write_text(json.dumps(left))
    print(f"Successfully terminated enclave {enclave_id}.", file=sys.stderr)
    print(json.dumps({"EnclaveName": "strongroom", "EnclaveID": enclave_id, "Terminated": True}, indent=2))


def fail(exit_code: str, code: str) -> None:
    link = f"https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html#{code}"
    print(f"[ {code} ] Some words of the real one.\n\nFor more details, please visit {link}", file=sys.stderr)
    sys.exit(int(exit_code))


if __name__ == "__main__":
    main(*sys.argv[1:])
