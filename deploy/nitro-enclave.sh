#!/bin/sh
# nitro-cli's verbs for an enclave that somebody starts by hand:
#   nitro-enclave.sh run STRONGROOM EIF CPUS MEMORY_MIB CID|""
#   nitro-enclave.sh terminate ID|NAME
#   nitro-enclave.sh describe
# `strongroom enclave` looks after enclaves that shall stay up.
set -eu

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

number() {
    case $2 in
    '' | *[!0-9]*) fail "expected $1=NUMBER, got '$2'" ;;
    esac
}

run() {
    strongroom=$1 eif=$2 cpus=$3 memory_mib=$4 cid=$5
    number CPUS "$cpus"
    number MEMORY "$memory_mib"
    [ -z "$cid" ] || number CID "$cid"
    # What has a bad CRC, a bad signature or no application gets no further; the reader says which.
    "$strongroom" eif measure --json -- "$eif" >/dev/null
    set -- --eif-path "$eif" --cpu-count "$cpus" --memory "$memory_mib"
    [ -z "$cid" ] || set -- "$@" --enclave-cid "$cid"
    exec nitro-cli run-enclave "$@"
}

terminate() {
    case $1 in
    '') fail "expected ENCLAVE=ID or ENCLAVE=NAME, as make eif-describe lists them" ;;
    i-*-enc*) exec nitro-cli terminate-enclave --enclave-id "$1" ;;
    *) exec nitro-cli terminate-enclave --enclave-name "$1" ;;
    esac
}

command -v nitro-cli >/dev/null 2>&1 || fail "no nitro-cli; on Amazon Linux 2023: dnf install aws-nitro-enclaves-cli"
verb=$1
shift
case $verb in
run) run "$@" ;;
terminate) terminate "$1" ;;
describe) exec nitro-cli describe-enclaves ;;
*) fail "expected run, terminate or describe, got '$verb'" ;;
esac
