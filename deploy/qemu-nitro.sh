#!/usr/bin/env bash
# QEMU's nitro-enclave machine, which Debian's own packages leave out, from Debian trixie's source package:
# qemu-nitro.sh FOLDER. FOLDER/qemu runs it, without a chroot. Needs root, for the chroot that it is built in.
set -euo pipefail
folder=$1

# This machine's own Debian mirror, where it has one; else mmdebstrap's default.
# shellcheck disable=SC2016 # a field of apt's
mirror=$(apt-get indextargets --format '$(SITE)' 'Label: Debian' 'Identifier: Packages' | sed -n 1p)
rm -rf "$folder"
mkdir -p "$folder/lib"
cd "$folder"
tools=build-essential,ninja-build,meson,flex,bison,pkgconf,python3,python3-venv,python3-pycotap,ca-certificates,dpkg-dev
libraries=libglib2.0-dev,libfdt-dev,libcbor-dev,libgnutls28-dev,zlib1g-dev

# apt holds the source against the signed index; only what the machine needs is compiled.
cat >build.sh <<'SCRIPT'
set -eu
sed 's/^deb /deb-src /' /etc/apt/sources.list >/etc/apt/sources.list.d/source.list
apt-get update -qq
cd /root
apt-get source -qq qemu >/dev/null
cd qemu-*/
echo CONFIG_NITRO_ENCLAVE=y >configs/devices/x86_64-softmmu/nitro.mak
mkdir build
cd build
../configure --target-list=x86_64-softmmu --with-devices-x86_64=nitro --without-default-features \
    --without-default-devices --enable-tcg --enable-fdt=system --enable-gnutls --enable-vhost-user -Dlibcbor=enabled \
    --disable-docs --disable-install-blobs --disable-download >/root/configure.log
ninja --quiet qemu-system-x86_64
strip qemu-system-x86_64
mkdir /root/made
cp qemu-system-x86_64 /root/made
ldd qemu-system-x86_64 | sed -nE 's/.* => (\S+) .*/\1/p' | xargs cp --dereference --target-directory /root/made
cp --dereference /lib64/ld-linux-x86-64.so.2 /root/made
SCRIPT
mmdebstrap --quiet --mode=root --variant=minbase --include="$tools,$libraries" \
    --customize-hook='copy-in build.sh /root' \
    --customize-hook='chroot "$1" sh /root/build.sh' \
    --customize-hook='sync-out /root/made lib' \
    trixie /dev/null ${mirror:+"$mirror"}
rm build.sh

# Its firmware is that of Debian's own QEMU.
cat >qemu <<'SCRIPT'
#!/bin/sh
lib=$(cd "${0%/*}" && pwd)/lib
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$lib/qemu-system-x86_64" -L /usr/share/seabios -L /usr/share/qemu "$@"
SCRIPT
chmod +x qemu
