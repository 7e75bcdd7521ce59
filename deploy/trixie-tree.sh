#!/usr/bin/env bash
# Debian trixie's Python with the packages of the image, as Dockerfile.enclave has them, for tests that need its OpenSSL
# 3.5 on an older system: trixie-tree.sh FOLDER. FOLDER/python3 runs it, without root and without a chroot.
set -euo pipefail
folder=$1 requirements=$PWD/requirements/enclave.txt

# This machine's own Debian mirror, where it has one; else mmdebstrap's default.
# shellcheck disable=SC2016 # a field of apt's
mirror=$(apt-get indextargets --format '$(SITE)' 'Label: Debian' 'Identifier: Packages' | sed -n 1p)
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
packages=python3-minimal,libpython3-stdlib,python3-pip # Dockerfile.enclave's
mmdebstrap --quiet --mode=chrootless --variant=extract --include="$packages" trixie - ${mirror:+"$mirror"} |
    tar --extract --no-same-owner ./usr

# The tree's own loader finds the tree's own C library and OpenSSL, while paths stay those of this machine.
cat >python3 <<'SCRIPT'
#!/bin/sh
tree=$(cd "${0%/*}" && pwd)
for loader in "$tree"/usr/lib/*-linux-gnu/ld-linux-*.so.*; do :; done
PYTHONHOME=$tree/usr PYTHONPATH=$tree/app${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1 \
    exec "$loader" --library-path "${loader%/*}" --argv0 "$tree/python3" "$tree/usr/bin/python3" "$@"
SCRIPT
chmod +x python3
./python3 -m pip --no-cache-dir --disable-pip-version-check --quiet install --root-user-action ignore \
    --no-compile --no-deps --only-binary :all: --require-hashes --target app --requirement "$requirements"
