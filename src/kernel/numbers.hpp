// What a number is, and numbers from text: the one grammar of the program, rounded right.
#pragma once

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "bytes.hpp"
#include "powers.hpp"

namespace matscore {

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline constexpr std::uint64_t kInfinityBits = std::uint64_t{0x7ff} << 52;

// Find the double next to w * 10^q, or to all of [w, w + 1) * 10^q where digits were cut; false
// where 128 bits of 10^q do not tell, or it is below all doubles. After Eisel and Lemire ("Number
// Parsing at a Gigabyte per Second", 2021, section 5), but what is near a halfway point is left to
// exact arithmetic, so that no case has to be proved apart.
inline bool round_decimal(std::uint64_t w, int q, bool is_cut, std::uint64_t& bits) {
    const int shift = std::countl_zero(w);
    const Power power = power_of_10(q);
    const Wide factor = w << shift;
    Wide product = factor * power.high + (factor * power.low >> 64);
    int scale = floor_log2_power_of_10(q) + 64 - shift;  // floor(log2(value))
    if (product >> 127 == 0) {
        product <<= 1;
        --scale;
    }
    const int precision = scale >= -1022 ? 53 : 53 + 1022 + scale;
    if (precision <= 0) return false;
    const int drop = 128 - precision;
    const Wide half = Wide{1} << (drop - 1);
    const Wide rest = product & (half - 1 + half);
    // The power is less than one too large, the product was cut, and both were doubled; a further
    // unit of 19 digits, normalized by at most four bits, adds 2^69.
    const Wide slack = is_cut ? Wide{1} << 70 : 4;
    if (rest - half + slack <= 2 * slack) return false;
    bits = static_cast<std::uint64_t>(product >> drop) + (rest > half ? 1 : 0);
    // The hidden bit adds one to the exponent, a carry out of the mantissa another.
    if (scale >= -1022) bits += static_cast<std::uint64_t>(scale + 1022) << 52;
    return true;
}

// The rest of read_number: any count of digits, any exponent. The digits stand in [first, last)
// with or without a mark; the value is these digits as an integer, times 10^exponent.
[[gnu::noinline]] inline std::uint64_t round_digits(const char* first, const char* last,
                                                    std::int64_t exponent) {
    // A halfway point has at most 767 significant digits: one that is not 0 stands for all further.
    constexpr int kMostDigits = 770;
    char text[kMostDigits + 32];
    char* out = text;
    std::uint64_t w = 0;  // the first 19 of them
    std::int64_t n_digits = 0;
    bool is_cut = false;
    for (const char* p = first; p != last; ++p) {
        if (!is_digit(*p) || (n_digits == 0 && *p == '0')) continue;
        if (n_digits < 19) w = w * 10 + static_cast<std::uint64_t>(*p - '0');
        if (n_digits < kMostDigits) *out++ = *p;
        else is_cut = is_cut || *p != '0';
        ++n_digits;
    }
    const std::int64_t q = exponent + (n_digits > 19 ? n_digits - 19 : 0);
    if (w == 0 || q < kMinPower) return 0;  // below 1e-324, less than half the least double
    if (q > 309) return kInfinityBits;
    std::uint64_t bits = 0;
    if (round_decimal(w, static_cast<int>(q), n_digits > 19, bits)) return bits;
    // The C library is exact. It is given a whole number and an exponent: the mark that it knows
    // depends on the process's locale.
    if (is_cut) *out++ = '1';
    const std::int64_t rest = exponent + n_digits - (out - text);
    *out++ = 'e';
    *std::to_chars(out, out + 24, rest).ptr = '\0';
    return std::bit_cast<std::uint64_t>(std::strtod(text, nullptr));
}

// Add the digits at p to `w`, which wraps, and return where they end.
inline const char* read_digits(const char* p, const char* end, std::uint64_t& w) {
    while (end - p >= 8) {
        // Bytes less '0': above 9 where no digit stands (the sum reaches the high bit).
        const std::uint64_t digits = load_8(p) ^ kOnes * '0';
        const std::uint64_t others = ((digits + kOnes * 0x76) | digits) & kHighs;
        const int n = others != 0 ? std::countr_zero(others) >> 3 : 8;
        if (n == 0) return p;
        // Eight digits with zeros in front; then pairs, fours and all of them are summed up in all
        // lanes at once (Lemire 2021, section 3).
        std::uint64_t v = digits << (64 - 8 * n);
        v = v * 10 + (v >> 8);
        v = ((v & 0x0000'00ff'0000'00ff) * (100 + (std::uint64_t{1'000'000} << 32)) +
             ((v >> 16) & 0x0000'00ff'0000'00ff) * (1 + (std::uint64_t{10'000} << 32))) >> 32;
        w = w * kWholeTens[static_cast<std::size_t>(n)] + v;
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
        const auto whole = static_cast<double>(static_cast<std::int64_t>(w));
        bits = std::bit_cast<std::uint64_t>(exponent < 0 ? whole / kTens[-exponent]
                                                         : whole * kTens[exponent]);
    } else {
        bits = round_digits(first, last, exponent);
        if (bits >= kInfinityBits) return nullptr;
    }
    value = std::bit_cast<double>(bits | sign);
    return p;
}

}  // namespace matscore
