#!/bin/sh
# Ask pip which wheels the image installs, and write its installation report: image-wheels.sh PYTHON LOCK OUTPUT
# PYTHON has a pip of 24 or newer; the working folder is the checkout.
set -eu
python=$1 lock=$2 output=$3

options=$("$python" -m strongroom.image.interpreter)
# shellcheck disable=SC2086 # many arguments, none with a space
"$python" -m pip --no-cache-dir --disable-pip-version-check --quiet install --dry-run --ignore-installed \
    --ignore-requires-python $options --target "$output.target" --report "$output.part" --requirement "$lock"
mv "$output.part" "$output"
