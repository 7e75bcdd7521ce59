#!/bin/sh
# Debian packages that the tests use: strace shows which sockets a process opens, mmdebstrap makes the trixie tree, it and
# buildah the local image, QEMU boots that, and node runs the second implementation of the protocol. What is already there,
# from wherever it came, stays.
set -eu
missing=""
for tool in strace mmdebstrap buildah; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
command -v qemu-system-x86_64 >/dev/null 2>&1 || missing="$missing qemu-system-x86"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
[ -z "$missing" ] && exit 0
echo "Installing from Debian:$missing"
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
