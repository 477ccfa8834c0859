// The exponential function by definition, so that probabilities have the same bits everywhere.
#pragma once

#include "vectors.hpp"

namespace matscore {

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
    const uint64_t biased = std::bit_cast<uint64_t>(shifted) - std::bit_cast<uint64_t>(shift) + 2046;
    const uint64_t half = biased >> 1;
    return sum * std::bit_cast<double>(half << 52) * std::bit_cast<double>((biased - half) << 52);
}

// Powers of numbers. The compiler makes vectors of the loop.
inline Buffer<double> find_powers(std::span<const double> numbers) {
    Buffer<double> powers(numbers.size());
    run([&](auto) MATSCORE_ALWAYS {
        const double* const from = numbers.data();
        double* const to = powers.data();
        for (size_t i = 0, n = powers.size(); i < n; ++i) to[i] = find_exp(from[i]);
    });
    return powers;
}

}  // namespace matscore
