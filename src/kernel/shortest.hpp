// Numbers to text: the shortest digits that read back to the same double, and whole numbers.
#pragma once

#include <cmath>

#include "numbers.hpp"

namespace matscore {

inline constexpr int kLongestNumber = 32;  // bytes that write_number may touch; it writes 25
inline constexpr uint64_t kZeros = kOnes * '0';

struct Decimal {
    uint64_t digits;  // 16 or 17 of them, the last may be zeros
    int exponent;
};

// floor(g * factor / 2^128) for g = 10^q, with its last bit set where that is not exact: enough to
// compare with (Giulietti 2020, section 9, "round to odd").
inline uint64_t scale_to_odd(Power g, Wide factor) {
    const Wide product = factor * g.high + (factor * g.low >> 64);
    const auto whole = static_cast<uint64_t>(product >> 64);
    return whole | (static_cast<uint64_t>(product) > 1 ? 1 : 0);
}

// The shortest decimal in the interval that rounds to c * 2^q, the closest of several, by a power
// of ten g that makes the step between doubles 1 to 10 (Raffaello Giulietti, "The Schubfach way to
// render doubles", 2020, section 9.9). Below a power of two the next double is half as far.
[[gnu::noinline]] inline uint64_t choose_shortest(uint64_t c, int h, Power g, bool is_power) {
    const uint64_t out = c & 1;  // the ends of an odd one's interval round elsewhere
    const uint64_t lower = scale_to_odd(g, (4 * c - (is_power ? 1 : 2)) << h) + out;
    const uint64_t value = scale_to_odd(g, 4 * c << h);
    const uint64_t upper = scale_to_odd(g, (4 * c + 2) << h) - out;
    // Of the multiples of ten, else of one, beside the value: the one in the interval, or of both
    // the closer one, the even one of a tie.
    const uint64_t s = value / 4, tens = s / 10 * 10;
    const bool has_tens = lower <= 4 * tens && tens > 0, has_below = lower <= 4 * s;
    if (has_tens != (4 * tens + 40 <= upper)) return tens + (has_tens ? 0 : 10);
    if (has_below != (4 * s + 4 <= upper)) return s + (has_below ? 0 : 1);
    return s + (value + (s & 1) > 4 * s + 2 ? 1 : 0);
}

// The shortest decimal of the bits of a finite number above 0: one product tells it where nothing
// is close.
inline Decimal find_shortest(uint64_t bits) {
    const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
    const int field = static_cast<int>(bits >> 52);
    const uint64_t c = field != 0 ? fraction | uint64_t{1} << 52 : fraction;
    const int q = (field != 0 ? field : 1) - 1075;
    const bool is_power = fraction == 0 && field > 1;
    // floor(log10(2^q)), or of 3/4 of it (Giulietti, section 10).
    const auto k = static_cast<int>(
        (int64_t{q} * 661'971'961'083 - (is_power ? 274'743'187'321 : 0)) >> 41);
    const int h = q + floor_log2_power_of_10(-k) + 1;
    const Power g = power_of_10(-k);
    const Wide factor = c << h;
    const Wide product = factor * g.high + (factor * g.low >> 64);
    const auto s = static_cast<uint64_t>(product >> 64);
    const uint64_t rest = static_cast<uint64_t>(product) >> 4, tens = s / 10 * 10;
    // In units of 2^-60, each less than one short: how far it is from the tens below, and the half
    // of a step.
    const uint64_t one = uint64_t{1} << 60;
    const uint64_t above = (s - tens) << 60 | rest, half = g.high >> (5 - h);
    const auto is_close = [](uint64_t a, uint64_t b) { return a - b + 4 <= 8; };
    const bool is_near =
        is_close(above, half) | is_close(above + half, 10 * one) | is_close(2 * rest, one);
    if (is_near | is_power | (s < kWholeTens[15])) {
        Decimal decimal{choose_shortest(c, h, g, is_power), k};
        for (; decimal.digits < kWholeTens[15]; --decimal.exponent) decimal.digits *= 10;
        return decimal;
    }
    // No branches: nobody can guess which.
    const bool has_next = above + half > 10 * one, has_tens = (above < half) | has_next;
    const uint64_t ones = s + (2 * rest > one ? 1 : 0);
    const uint64_t either = ones ^ (tens + (has_next ? 10 : 0));
    return {ones ^ (either & (uint64_t{0} - (has_tens ? 1 : 0))), k};
}

// The eight digits of a number below 10^8, the first one in the lowest byte: halves, quarters and
// digits are split off in all lanes at once (the divisions are exact for such numbers).
inline uint64_t split_digits(uint64_t number) {
    uint64_t v = number / 10'000 | number % 10'000 << 32;
    const uint64_t hundreds = ((v * 10'486) >> 20) & 0x0000'007f'0000'007f;
    v = hundreds | (v - hundreds * 100) << 16;
    const uint64_t tens = ((v * 103) >> 10) & 0x000f'000f'000f'000f;
    return tens | (v - tens * 10) << 8;
}

inline char* write_whole(int64_t number, char* out) {
    return std::to_chars(out, out + 20, number).ptr;
}

// Write a finite number above 0 given by its digits: 0.00001 to 9999999999999999.0 with a point and
// at least one digit after it, others as 1.5e-7 or 1e+16. Polars writes so, and so did we with it.
inline char* write_decimal(Decimal decimal, char* out) {
    const bool is_long = decimal.digits >= kWholeTens[16];
    const int scale = decimal.exponent + 15 + is_long;  // floor(log10(value))
    // All 17 digits are written, with zeros behind; what comes next is written over them.
    const uint64_t digits = is_long ? decimal.digits : decimal.digits * 10;
    const uint64_t upper = digits / 100'000'000;
    const uint64_t first = upper / 100'000'000 + '0';
    const uint64_t high = split_digits(upper % 100'000'000);
    const uint64_t low = split_digits(digits % 100'000'000);
    const int n_zeros = low != 0 ? std::countl_zero(low) : 64 + std::countl_zero(high);
    const int n_digits = 17 - (n_zeros >> 3);
    // No branches: nobody can guess the size of the next number.
    const bool is_plain = scale >= -5 && scale <= 15;
    const int shown = is_plain ? scale : 0;
    const int is_small = shown < 0 ? 1 : 0;
    const int n_whole = (shown + 1) & (is_small - 1);
    const int n_between = 1 - (shown & -is_small);
    store_8(high + kZeros, out + n_between + 1);
    store_8(low + kZeros, out + n_between + 9);
    if (n_whole < 8) {
        const uint64_t word = (high + kZeros) << 8 | first;
        const uint64_t whole = (uint64_t{1} << 8 * n_whole) - 1;
        const uint64_t zeros = kZeros & ((uint64_t{1} << 8 * n_between) - 1);
        store_8((word & whole) | zeros << 8 * n_whole | (word & ~whole) << 8 * n_between, out);
    } else {
        out[1] = static_cast<char>(first);
        std::memmove(out, out + 1, static_cast<size_t>(n_whole));
    }
    out[n_whole + is_small] = '.';
    if (is_plain) return out + std::max(n_digits, n_whole + 1) + n_between;
    out += n_digits > 1 ? n_digits + 1 : 1;
    *out++ = 'e';
    *out++ = scale < 0 ? '-' : '+';
    return write_whole(scale < 0 ? -scale : scale, out);
}

// Write a number; "NaN", "inf" or "-inf" where it is not finite.
inline char* write_number(double number, char* out) {
    const auto bits = std::bit_cast<uint64_t>(number);
    const uint64_t magnitude = bits & ~(uint64_t{1} << 63);
    const auto put = [&out](const char* word) { return std::copy_n(word, 3, out); };
    if (std::isnan(number)) return put("NaN");
    *out = '-';
    out += bits >> 63;
    if (std::isinf(number)) return put("inf");
    if (magnitude == 0) return put("0.0");
    return write_decimal(find_shortest(magnitude), out);
}

}  // namespace matscore
