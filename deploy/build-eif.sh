#!/bin/sh
# Build the enclave image with docker, then the EIF with nitro-cli: build-eif.sh TAG OUTPUT BASE
set -eu
tag=$1 output=$2 base=$3

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

case $base in
*@sha256:*) ;;
*) fail "expected BASE with a digest, got '$base'; this prints one:
  docker pull debian:trixie-slim && docker inspect --format '{{index .RepoDigests 0}}' debian:trixie-slim" ;;
esac
docker info >/dev/null 2>&1 ||
    fail "no usable docker engine ('docker info' fails); install one: https://docs.docker.com/engine/install/"
command -v nitro-cli >/dev/null 2>&1 ||
    fail "no nitro-cli; on Amazon Linux 2023: dnf install aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel"

# nitro-cli has no -f, so the image is built first and passed by its tag.
docker build --file Dockerfile.enclave --build-arg "BASE=$base" --tag "$tag" .
nitro-cli build-enclave --docker-uri "$tag" --output-file "$output"
