// The exponential function by definition, so that probabilities have the same bits everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <bit>

#include "vectors.hpp"

namespace matscore {

inline constexpr std::array<double, 14> inverse_factorials = [] {
    std::array<double, 14> inverses{1.0};
    double factorial = 1.0;
    for (size_t i = 1; i < inverses.size(); ++i)
        inverses[i] = 1.0 / (factorial *= static_cast<double>(i));
    return inverses;
}();

// exp(x) in each lane, within an ulp: x = k ln 2 + r, where ln 2 is in two parts of which k times
// the first is exact (Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter
// 6); the Taylor polynomial of r, at most half of ln 2; and a scale by 2^k in two steps, of which
// only the last can round.
template <size_t L>
MATSCORE_INLINE void exp_lanes(Lanes<L>& x) {
    using Whole __attribute__((vector_size(L * sizeof(int64_t)))) = int64_t;
    constexpr double shift = 0x1.8p52;  // a sum with it is rounded to whole
    const Lanes<L> zero{}, low = -746.0 - zero, high = 710.0 - zero;
    x = x < low ? low : x;  // 0 and infinity from there on
    x = x > high ? high : x;
    Lanes<L> shifted = shift - zero;
    add_product(shifted, x, 0x1.71547652b82fep0 - zero);
    const Lanes<L> k = shifted - shift;
    add_product(x, k, -0x1.62e42feep-1 - zero);
    add_product(x, k, -0x1.a39ef35793c76p-33 - zero);
    Lanes<L> sum = zero;
    for (size_t i = inverse_factorials.size(); i-- > 0;) {
        Lanes<L> next = inverse_factorials[i] - zero;
        add_product(next, sum, x);
        sum = next;
    }
    const Whole power = (Whole)shifted - std::bit_cast<int64_t>(shift), half = power >> 1;
    x = sum * (Lanes<L>)((half + 1023) << 52) * (Lanes<L>)((power - half + 1023) << 52);
}

// Powers (n,) of numbers: to = exp(from).
inline void exp_numbers(const double* from, size_t n, double* to) {
    run([&](auto lanes) MATSCORE_ALWAYS {
        Lanes<lanes> x;
        for (size_t i = 0; i < n; i += lanes) {
            const size_t some = std::min<size_t>(lanes, n - i) * sizeof(double);
            x = Lanes<lanes>{};
            std::memcpy(&x, from + i, some);
            exp_lanes<lanes>(x);
            std::memcpy(to + i, &x, some);
        }
    });
}

}  // namespace matscore
