#!/usr/bin/env bash
# Build the kernel with the address and undefined-behaviour sanitizers and run its tests so.
#   tests/kernel/sanitize.sh [PYTHON [PYTEST ARGUMENTS]]
# PYTHON has the test extra, nanobind and scikit-build-core. The build is kept in build/sanitize;
# the installed program is left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$(command -v "${1:-python3}")
shift || true
[ $# -gt 0 ] || set -- tests/kernel
build=$PWD/build/sanitize
mkdir -p "$build"
cmake -S src/kernel -B "$build" -G Ninja -DSANITIZE=ON -DPython_EXECUTABLE="$python" \
    -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" >"$build/log"
cmake --build "$build" >>"$build/log" || { cat "$build/log"; exit 1; }
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libubsan.so)"
# Python frees not all at its end. With its own allocator it would hide where memory ends.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc LD_PRELOAD
export MATSCORE_SANITIZED=$build
exec "$python" -m pytest -q -x -n 0 -p no:cacheprovider -p tests.kernel.sanitized "$@"
