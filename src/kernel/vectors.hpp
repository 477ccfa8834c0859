// Vectors of float64, and which of the processor's instruction sets computes with them.
//
// Every inner loop is written once, as a lambda over the number of lanes L that is inlined into one
// function for each instruction set. Lanes never mix, and all that rounds is a fused multiply-add,
// an addition or a division: so each instruction set gives the same bits.
#pragma once

#include <cmath>
#include <limits>
#include <utility>

#include "bytes.hpp"

namespace matscore {

// Must be inlined: a function, or lambda, keeps the instruction set of where it ends up.
#define MATSCORE_INLINE __attribute__((always_inline)) inline
#define MATSCORE_ALWAYS __attribute__((always_inline))

// Calls body(0), body(1), ... body(N - 1), written out, with integral constants:
// what is numbered by constants is kept in registers.
template <size_t N, class Body>
MATSCORE_INLINE void unroll(const Body& body) {
    [&]<size_t... I>(std::index_sequence<I...>) MATSCORE_ALWAYS {
        (body(std::integral_constant<size_t, I>{}), ...);
    }(std::make_index_sequence<N>{});
}

template <size_t L>
using Lanes __attribute__((vector_size(L * sizeof(double)))) = double;

template <class V>
MATSCORE_INLINE void load(V& to, const double* from) {
    std::memcpy(&to, from, sizeof to);
}

template <class V>
MATSCORE_INLINE void store(double* to, const V& from) {
    std::memcpy(to, &from, sizeof from);
}

// Makes a vector of number(0), number(1), ...: one instruction where there is one.
template <class V, class Number>
MATSCORE_INLINE void fill(V& to, const Number& number) {
    [&]<size_t... I>(std::index_sequence<I...>) MATSCORE_ALWAYS {
        to = V{number(I)...};
    }(std::make_index_sequence<sizeof(V) / sizeof(double)>{});
}

// sum = x * w + sum, rounded once, by name: contraction would leave that to the optimiser.
template <class V>
MATSCORE_INLINE void add_product(V& sum, const V& x, const V& w) {
    fill(sum, [&](size_t i) MATSCORE_ALWAYS { return __builtin_fma(x[i], w[i], sum[i]); });
}

// Instruction sets, of 8, 4 and 2 lanes.
inline constexpr const char* instruction_sets[] = {"x86-64-v4", "x86-64-v3", "base"};

// The processor's first one, which has all after it.
inline const size_t best_set = []() -> size_t {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") ? 0 : 1;
#endif
    return 2;
}();

// What the process computes with; tests choose it.
inline size_t chosen_set = best_set;

inline void choose(const std::string& name) {
    for (size_t i = best_set; i < std::size(instruction_sets); ++i)
        if (name == instruction_sets[i]) return static_cast<void>(chosen_set = i);
    throw std::invalid_argument("this processor has no " + name);
}

// Calls body, an always inlined lambda, with the lanes of the chosen instruction set as an integral
// constant, compiled for that set.
template <class Body>
__attribute__((noinline)) void run_base(const Body& body) {
    body(std::integral_constant<size_t, 2>{});
}
#if defined(__x86_64__)
template <class Body>
__attribute__((noinline, target("avx2,fma"))) void run_v3(const Body& body) {
    body(std::integral_constant<size_t, 4>{});
}
template <class Body>
__attribute__((noinline, target("avx512f,avx512dq,avx512vl,avx2,fma")))
void run_v4(const Body& body) {
    body(std::integral_constant<size_t, 8>{});
}
#endif
template <class Body>
void run(const Body& body) {
#if defined(__x86_64__)
    if (chosen_set == 0) return run_v4(body);
    if (chosen_set == 1) return run_v3(body);
#endif
    run_base(body);
}

}  // namespace matscore
