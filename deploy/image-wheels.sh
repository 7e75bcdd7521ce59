#!/bin/sh
# Ask pip which wheels the image installs, and write its installation report: image-wheels.sh PYTHON LOCK OUTPUT
# PYTHON has a pip of 24 or newer. The image is Debian trixie's on x86_64: Python 3.13, glibc 2.41, the newest tag first.
set -eu
python=$1 lock=$2 output=$3

platforms=""
minor=41
while [ "$minor" -ge 5 ]; do
    platforms="$platforms --platform manylinux_2_${minor}_x86_64"
    minor=$((minor - 1))
done
# shellcheck disable=SC2086 # many arguments
"$python" -m pip --no-cache-dir --disable-pip-version-check --quiet install --dry-run --ignore-installed --no-deps \
    --ignore-requires-python --only-binary :all: --require-hashes --implementation cp --python-version 3.13 $platforms \
    --target "$output.target" --report "$output.part" --requirement "$lock"
mv "$output.part" "$output"
