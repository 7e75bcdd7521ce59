#!/bin/sh
# Leave in the image what runs, and nothing that differs between two builds: prune-image.sh FOLDER SECONDS-SINCE-1970.
# Dockerfile.enclave runs this in its build stage. Memory must be four times the image, so each MiB counts.
set -eu
image=$1 epoch=$2
cd "$image"

# From Debian's packages: what nothing here opens. Documentation, translations and time zones, but not the licences;
# character sets for iconv; programs other than Python; what systemd, binfmt and debuggers would read.
find usr/share -type f ! -path 'usr/share/doc/*/copyright' -delete
find usr/share -xtype l -delete
find usr/share -depth -type d -empty -delete
rm -rf usr/sbin usr/lib/x86_64-linux-gnu/gconv usr/lib/x86_64-linux-gnu/audit usr/lib/binfmt.d etc var
find usr/bin -mindepth 1 ! -name 'python3*' -delete
rm -rf usr/lib/python3.13/EXTERNALLY-MANAGED usr/lib/python3.13/pydoc_data
# Modules of Python whose libraries are not in the image: data bases, terminals.
rm -f usr/lib/python3.13/lib-dynload/_curses*.so usr/lib/python3.13/lib-dynload/_dbm*.so \
    usr/lib/python3.13/lib-dynload/_sqlite3*.so usr/lib/python3.13/lib-dynload/readline*.so \
    usr/lib/python3.13/lib-dynload/_test*.so usr/lib/python3.13/lib-dynload/_ctypes_test*.so \
    usr/lib/python3.13/lib-dynload/_xxtestfuzz*.so
# nitro-cli and ours look for commands there, so the links must lead somewhere.
mkdir -p usr/sbin

# From the wheels: commands, headers and archives for C, types for checkers, tests.
rm -rf app/bin
find app -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
find app -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -delete
# onnxruntime: the library for programs in C (its Python module holds the same code again) and tools that convert models.
rm -rf app/onnxruntime/capi/libonnxruntime.so.* app/onnxruntime/transformers app/onnxruntime/quantization \
    app/onnxruntime/tools app/onnxruntime/datasets app/onnxruntime/backend
# numpy: the compiler of Fortran, and what only its own tests load.
rm -rf app/numpy/f2py app/numpy/_core/_simd.*.so app/numpy/_core/_*_tests.*.so
# botocore: of several hundred services the two that the enclave speaks to.
find app/botocore/data -mindepth 1 -maxdepth 1 -type d ! -name kms ! -name sts -exec rm -rf {} +

# Of ours: files with plain modes; a link would be measured as its target's name, and hold anything.
ours="app/attestation app/enclave app/strongroom"
# shellcheck disable=SC2086 # a list of folders
links=$(find $ours -type l)
[ -z "$links" ] || { echo "among our modules: expected no symbolic link, got $links" >&2; exit 1; }
# shellcheck disable=SC2086
find $ours -type f -exec chmod 0644 {} +

# The same for whoever builds it: no byte code, no modes from a umask, no times.
find . -depth -type d -name __pycache__ -exec rm -rf {} +
chmod -R u=rwX,go=rX .
find . -exec touch --no-dereference --date="@$epoch" {} +
