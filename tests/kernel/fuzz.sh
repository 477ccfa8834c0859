#!/usr/bin/env bash
# Fuzz the kernel's text half with libFuzzer (clang) under the sanitizers.
#   tests/kernel/fuzz.sh [SECONDS [CORPUS]]
# Prints the executions and the corpus' size at its end; a crash leaves its input beside the corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
corpus=${2:-build/fuzz/corpus}
mkdir -p "$corpus"
clang++ -std=c++20 -O2 -g -ffp-contract=off -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=undefined -fconstexpr-steps=100000000 -Wall -Wextra \
    -o build/fuzz/fuzz tests/kernel/fuzz.cpp
if [ -z "$(ls "$corpus")" ]; then
    printf '\1\147x,1,2\ny,3,4\n' >"$corpus/plain"
    printf '\100\345"a,""b",1e400\r\nNA,-999, 7 \n\n' >"$corpus/odd"
    printf '\0\0=1,0.1e-5\n\xef\xbb\xbf1,9007199254740993\n' >"$corpus/numbers"
fi
cd build/fuzz
./fuzz -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 "../../$corpus" 2>&1 | tail -n 25
echo "corpus: $(ls "../../$corpus" | wc -l) files"
