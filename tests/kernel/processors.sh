#!/bin/sh
# The kernel's checksum on several processors and by several compilers: fails where any differs.
#
#   tests/kernel/processors.sh
#
# Takes what is there of: g++; clang (or `python -m ziglang`, with PYTHON); qemu-x86_64 (Debian's
# qemu-user), for x86-64 without AVX and FMA, and with AVX2; aarch64-linux-gnu-g++ and qemu-aarch64.
# SKIP=fail makes what is missing an error, as in the hosted workflow.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
flags="-std=c++20 -O3 -ffp-contract=off -I$here/../../src/kernel"
python=${PYTHON:-python3}
: >"$place/sums"

skip() {
    echo "$1: not here"
    [ "${SKIP:-}" != fail ]
}

# name, then the command that writes the bytes
report() {
    name=$1
    shift
    sum=$("$@" | sha256sum | cut -c1-64)
    echo "$sum $name"
    echo "$sum" >>"$place/sums"
}

# shellcheck disable=SC2086 # the flags are words
build() { "$@" $flags "$here/checksum.cpp" -o "$place/$output"; }

output=native build "${CXX:-g++}"
for set in x86-64-v4 x86-64-v3 base; do
    if "$place/native" $set >/dev/null 2>&1; then report "this processor, $set" "$place/native" $set; fi
done
if command -v clang++ >/dev/null; then
    output=clang build clang++
    report "clang" "$place/clang"
else
    skip clang
fi
if $python -c "import ziglang" 2>/dev/null; then
    output=zig build $python -m ziglang c++ -mcpu=baseline
    report "zig" "$place/zig"
else
    skip zig
fi
if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64 >/dev/null; then
    # The C library has an fma of its own, in integers, for processors without the instruction.
    report "x86-64 without AVX and FMA (qemu64)" qemu-x86_64 -cpu qemu64,-avx,-avx2,-fma "$place/native"
    report "x86-64 with AVX2 (Haswell)" qemu-x86_64 -cpu Haswell "$place/native" x86-64-v3
else
    skip qemu-x86_64
fi
if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null; then
    output=aarch64 build aarch64-linux-gnu-g++ -static
    report "aarch64" qemu-aarch64 "$place/aarch64"
else
    skip qemu-aarch64
fi
[ "$(sort -u "$place/sums" | wc -l)" = 1 ] || {
    echo "they differ" >&2
    exit 1
}
