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

// sum = x * w + sum, rounded once, by name: contraction would leave that to the optimiser.
template <class V>
MATSCORE_INLINE void add_product(V& sum, const V& x, const V& w) {
    [&]<size_t... I>(std::index_sequence<I...>) MATSCORE_ALWAYS {
        sum = V{__builtin_fma(x[I], w[I], sum[I])...};  // one instruction where there is one
    }(std::make_index_sequence<sizeof(V) / sizeof(double)>{});
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

// The exponential function by definition, so that probabilities have the same bits everywhere.

inline constexpr auto kInverseFactorials = [] {
    std::array<double, 14> inverses{1.0};
    double factorial = 1.0;
    for (size_t i = 1; i < inverses.size(); ++i)
        inverses[i] = 1.0 / (factorial *= static_cast<double>(i));
    return inverses;
}();

// exp(x), within an ulp: x = k ln 2 + r, where ln 2 is in two parts of which k times the first is
// exact (Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter 6); the Taylor
// polynomial of r, at most half of ln 2; and a scale by 2^k in two steps, of which only the last
// can round.
MATSCORE_INLINE double find_exp(double x) {
    constexpr double shift = 0x1.8p52;  // a sum with it is rounded to whole
    x = x < -746.0 ? -746.0 : x;        // 0 and infinity from there on
    x = x > 710.0 ? 710.0 : x;
    const double shifted = __builtin_fma(x, 0x1.71547652b82fep0, shift), k = shifted - shift;
    x = __builtin_fma(k, -0x1.62e42feep-1, x);
    x = __builtin_fma(k, -0x1.a39ef35793c76p-33, x);
    double sum = 0.0;
    unroll<14>([&](auto i) MATSCORE_ALWAYS {
        sum = __builtin_fma(sum, x, kInverseFactorials[13 - i]);
    });
    const auto whole = std::bit_cast<uint64_t>(shifted) - std::bit_cast<uint64_t>(shift);
    const uint64_t biased = whole + 2 * 1023, half = biased >> 1;
    return sum * std::bit_cast<double>(half << 52) * std::bit_cast<double>((biased - half) << 52);
}

// Powers of numbers. The compiler makes vectors of the loop.
inline Buffer<double> find_powers(span<const double> numbers) {
    Buffer<double> powers(numbers.size());
    run([&](auto) MATSCORE_ALWAYS {
        const double* const from = numbers.data();
        double* const to = powers.data();
        for (size_t i = 0, n = powers.size(); i < n; ++i) to[i] = find_exp(from[i]);
    });
    return powers;
}

}  // namespace matscore
