// What a number is, and numbers from text: the one grammar of the program, rounded right.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "bytes.hpp"
#include "powers.hpp"

namespace matscore {

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A halfway point between two doubles has at most 767 significant digits, so that one digit other
// than zero stands for all that come after this many.
inline constexpr int kMostDigits = 770;
inline constexpr std::uint64_t kInfinityBits = std::uint64_t{0x7ff} << 52;

// Powers of ten that are doubles.
inline constexpr double kTens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// The bits of the double next to (high, middle, low) * 2^exponent, ties to even, where the highest
// set bit is bit 191 or 190. Where that is half the least double or less, 0.
inline std::uint64_t round_product(std::uint64_t high, std::uint64_t middle, std::uint64_t low,
                                   int exponent) {
    const int top = (high >> 63) != 0 ? 191 : 190;
    const int scale = exponent + top;  // floor(log2(value))
    const int precision = scale >= -1022 ? 53 : 53 + 1022 + scale;
    if (precision <= 0) return 0;
    const int drop = top + 1 - precision - 128;  // bits of `high`, at least 10
    std::uint64_t bits = high >> drop;
    const std::uint64_t half = std::uint64_t{1} << (drop - 1);
    const bool is_above_half = (high & (half - 1)) != 0 || middle != 0 || low != 0;
    if ((high & half) != 0 && (is_above_half || (bits & 1) != 0)) ++bits;
    // The hidden bit adds one to the exponent, a carry out of the mantissa another.
    if (scale >= -1022) bits += static_cast<std::uint64_t>(scale + 1022) << 52;
    return bits < kInfinityBits ? bits : kInfinityBits;
}

struct Rounded {
    std::uint64_t bits;  // of a double
    bool is_certain;     // else it may be one off
};

// The double next to w * 10^q, or to all of [w, w + 1) * 10^q where digits were cut, as far as 128
// bits of 10^q tell. After Eisel and Lemire ("Number Parsing at a Gigabyte per Second", 2021,
// section 5), but both ends of the interval that holds the value are rounded, so that no case has
// to be proved apart.
inline Rounded round_decimal(std::uint64_t w, int q, bool is_cut) {
    const int shift = std::countl_zero(w);
    const Power power = power_of_10(q);
    const int exponent = floor_log2_power_of_10(q) - 127 - shift;
    const auto round = [&](std::uint64_t factor, std::uint64_t excess) {
        const Wide low = static_cast<Wide>(factor) * power.low;
        const Wide high =
            static_cast<Wide>(factor) * power.high + static_cast<std::uint64_t>(low >> 64);
        const Wide rest = (high << 64) | static_cast<std::uint64_t>(low);
        return round_product(static_cast<std::uint64_t>(high >> 64) - (rest < excess ? 1 : 0),
                             static_cast<std::uint64_t>((rest - excess) >> 64),
                             static_cast<std::uint64_t>(rest - excess), exponent);
    };
    // The power is less than one too large, so that a product is less than its factor too large.
    const std::uint64_t excess = is_exact_power(q) ? 0 : w << shift;
    const std::uint64_t lower = round(w << shift, excess);
    const std::uint64_t last = w + (is_cut ? 1 : 0);
    if (last == 0 || std::countl_zero(last) != shift) return {lower, false};
    const std::uint64_t upper = excess == 0 && !is_cut ? lower : round(last << shift, 0);
    // Half the least double rounds to 0, and so does what is next to it on either side.
    const bool is_tiny = upper == 0;
    return {upper, lower == upper && !is_tiny};
}

// Compare digits * 10^exponent with the middle of the double of these bits and the next one.
inline int compare_with_middle(const Big& digits, int exponent, std::uint64_t bits) {
    const int field = static_cast<int>(bits >> 52);
    const std::uint64_t mantissa =
        (bits & ((std::uint64_t{1} << 52) - 1)) | (std::uint64_t{field > 0} << 52);
    const int power_of_2 = (field > 0 ? field : 1) - 1076;
    Big value = digits;
    Big middle(2 * mantissa + 1);
    value.multiply_power_of_5(exponent);
    middle.multiply_power_of_5(-exponent);
    value.shift_left(exponent > power_of_2 ? exponent - power_of_2 : 0);
    middle.shift_left(power_of_2 > exponent ? power_of_2 - exponent : 0);
    return compare(value, middle);
}

// The bits of the double next to the digits of [first, last) * 10^q, by exact integers. The first
// digit is not 0; a mark may stand among the digits; `guess` is a double beside it.
inline std::uint64_t round_exactly(const char* first, const char* last, std::int64_t q,
                                   std::uint64_t guess) {
    Big digits;
    int n_taken = 0;
    bool is_cut = false;
    for (const char* p = first; p != last; ++p) {
        if (!is_digit(*p)) continue;
        if (n_taken < kMostDigits) {
            digits.multiply_add(10, static_cast<std::uint32_t>(*p - '0'));
            ++n_taken;
        } else {
            is_cut = is_cut || *p != '0';
            ++q;
        }
    }
    if (is_cut) {
        digits.multiply_add(10, 1);
        --q;
    }
    const int exponent = static_cast<int>(q);
    std::uint64_t bits = guess < kInfinityBits ? guess : kInfinityBits - 1;
    for (;;) {
        const int above = compare_with_middle(digits, exponent, bits);
        if (above > 0 || (above == 0 && (bits & 1) != 0)) {
            if (++bits == kInfinityBits) return bits;
            continue;
        }
        if (bits == 0) return bits;
        const int below = compare_with_middle(digits, exponent, bits - 1);
        if (below > 0 || (below == 0 && (bits & 1) == 0)) return bits;
        --bits;
    }
}

// The rest of read_number: any count of digits, any exponent. The digits stand in [first, last)
// with or without a mark; the value is these digits as an integer, times 10^q. The integer is `w`
// where there are no more than 19.
[[gnu::noinline]] inline std::uint64_t round_digits(const char* first, const char* last,
                                                    std::int64_t n_digits, std::uint64_t w,
                                                    std::int64_t exponent) {
    while (first != last && (*first == '0' || !is_digit(*first))) ++first;
    std::int64_t q = exponent;
    bool is_cut = false;
    if (n_digits > 19) {
        w = 0;
        int n_taken = 0;
        for (const char* p = first; p != last; ++p) {
            if (!is_digit(*p)) continue;
            if (n_taken < 19) {
                w = w * 10 + static_cast<std::uint64_t>(*p - '0');
                ++n_taken;
            } else {
                ++q;
                is_cut = is_cut || *p != '0';
            }
        }
    }
    if (w == 0 || q < kMinPower) return 0;  // below 1e19 * 1e-343, half the least double is 2.5e-324
    if (q > 309) return kInfinityBits;
    const Rounded rounded = round_decimal(w, static_cast<int>(q), is_cut);
    if (rounded.is_certain) return rounded.bits;
    return round_exactly(first, last, exponent, rounded.bits);
}

// Add the digits at p to `w`, which wraps, and return where they end.
inline const char* read_digits(const char* p, const char* end, std::uint64_t& w) {
    static constexpr std::uint64_t kTo[] = {1,         10,         100,         1'000,      10'000,
                                            100'000,   1'000'000,  10'000'000,  100'000'000};
    while (end - p >= 8) {
        // Bytes less '0': above 9 where no digit stands (the sum reaches the high bit).
        const std::uint64_t digits = load_8(p) ^ 0x3030'3030'3030'3030;
        const std::uint64_t others = (((digits & ~kHighs) + 0x7676'7676'7676'7676) | digits) & kHighs;
        const int n = others != 0 ? std::countr_zero(others) >> 3 : 8;
        if (n == 0) return p;
        // Eight digits with zeros in front; then pairs, fours and all of them are summed up in all
        // lanes at once (Lemire 2021, section 3).
        std::uint64_t v = digits << (64 - 8 * n);
        v = v * 10 + (v >> 8);
        v = ((v & 0x0000'00ff'0000'00ff) * (100 + (std::uint64_t{1'000'000} << 32)) +
             ((v >> 16) & 0x0000'00ff'0000'00ff) * (1 + (std::uint64_t{10'000} << 32))) >> 32;
        w = w * kTo[n] + v;
        p += n;
        if (n < 8) return p;
    }
    for (; p != end && is_digit(*p); ++p) w = w * 10 + static_cast<std::uint64_t>(*p - '0');
    return p;
}

// Read a number at p: sign, digits with a decimal mark, exponent. Returns where it ends, or null
// where none stands there or it is too large for a double. Blanks are the caller's.
inline const char* read_number(const char* p, const char* end, char mark, double& value) {
    if (p == end) return nullptr;
    // Without branches: nobody can guess the sign of the next number.
    const std::uint64_t sign = std::uint64_t{*p == '-'} << 63;
    p += (*p == '-') | (*p == '+');
    const char* const first = p;
    std::uint64_t w = 0;  // wraps where there are more than 19 digits, and is not used then
    for (; p != end && is_digit(*p); ++p) w = w * 10 + static_cast<std::uint64_t>(*p - '0');
    std::int64_t n_digits = p - first;
    std::int64_t exponent = 0;
    if (p != end && *p == mark) {
        const char* const fraction = ++p;
        p = read_digits(p, end, w);
        exponent = fraction - p;
        n_digits -= exponent;
    }
    const char* const last = p;
    if (n_digits == 0) return nullptr;
    if (p != end && (*p | 0x20) == 'e') {
        ++p;
        const bool is_down = p != end && *p == '-';
        if (p != end && (*p == '-' || *p == '+')) ++p;
        const char* const start = p;
        std::int64_t written = 0;
        for (; p != end && is_digit(*p); ++p) {
            // Past any text's length: no digits can make up for more.
            if (written < std::int64_t{1} << 50) written = written * 10 + (*p - '0');
        }
        if (p == start) return nullptr;
        exponent += is_down ? -written : written;
    }
    std::uint64_t bits = 0;
    if (n_digits <= 19 && w <= std::uint64_t{1} << 53 && exponent >= -22 && exponent <= 22) {
        // Both are doubles, so that one operation rounds once (Clinger, "How to Read Floating
        // Point Numbers Accurately", 1990, section 2).
        bits = std::bit_cast<std::uint64_t>(exponent < 0
                                                ? static_cast<double>(w) / kTens[-exponent]
                                                : static_cast<double>(w) * kTens[exponent]);
    } else {
        bits = round_digits(first, last, n_digits, w, exponent);
        if (bits == kInfinityBits) return nullptr;
    }
    value = std::bit_cast<double>(bits | sign);
    return p;
}

}  // namespace matscore
