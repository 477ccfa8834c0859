// Numbers to text: the shortest digits that read back to the same double, and whole numbers.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "numbers.hpp"
#include "powers.hpp"

namespace matscore {

inline constexpr int kLongestNumber = 32;  // bytes that write_number may touch

struct Decimal {
    std::uint64_t digits;  // at most 17 of them
    int exponent;
};

// floor(g * factor / 2^128) for g = 10^q, with its last bit set where that is not exact: enough to
// compare with (Giulietti 2020, section 9, "round to odd").
inline std::uint64_t scale_to_odd(Power g, std::uint64_t factor) {
    const Wide low = static_cast<Wide>(g.low) * factor;
    const Wide high = static_cast<Wide>(g.high) * factor + static_cast<std::uint64_t>(low >> 64);
    const auto whole = static_cast<std::uint64_t>(high >> 64);
    return whole | (static_cast<std::uint64_t>(high) > 1 ? 1 : 0);
}

// The shortest decimal in the interval that rounds to the double of these bits, the closest of
// several (Raffaello Giulietti, "The Schubfach way to render doubles", 2020, section 9.9). The bits
// are of a finite number above 0. May end in zeros.
inline Decimal find_shortest(std::uint64_t bits) {
    const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
    const int field = static_cast<int>(bits >> 52);
    const std::uint64_t c = field != 0 ? fraction | std::uint64_t{1} << 52 : fraction;
    const int q = (field != 0 ? field : 1) - 1075;
    if (q <= 0 && q > -53 && (c & ((std::uint64_t{1} << -q) - 1)) == 0) {
        return {c >> -q, 0};  // a whole number below 2^53 has no shorter neighbour
    }
    const std::uint64_t out = c & 1;  // the ends of an odd one's interval round elsewhere
    const bool is_irregular = fraction == 0 && field > 1;  // the double below is half as far
    // floor(log10(2^q)), or of 3/4 of it (section 10).
    const auto k = static_cast<int>(
        (std::int64_t{q} * 661'971'961'083 - (is_irregular ? 274'743'187'321 : 0)) >> 41);
    const int h = q + floor_log2_power_of_10(-k) + 1;
    const Power g = power_of_10(-k);
    const std::uint64_t lower = scale_to_odd(g, (4 * c - (is_irregular ? 1 : 2)) << h) + out;
    const std::uint64_t value = scale_to_odd(g, (4 * c) << h);
    const std::uint64_t upper = scale_to_odd(g, (4 * c + 2) << h) - out;
    const std::uint64_t s = value / 4;
    if (s >= 10) {
        const std::uint64_t tens = s / 10;
        const bool has_below = lower <= 40 * tens;
        const bool has_above = 40 * tens + 40 <= upper;
        if (has_below != has_above) return {tens + (has_above ? 1 : 0), k + 1};
    }
    const bool has_below = lower <= 4 * s;
    const bool has_above = 4 * s + 4 <= upper;
    if (has_below != has_above) return {s + (has_above ? 1 : 0), k};
    const std::uint64_t middle = 4 * s + 2;
    const bool rounds_up = value > middle || (value == middle && (s & 1) != 0);
    return {s + (rounds_up ? 1 : 0), k};
}

inline constexpr auto kWholeTens = [] {
    std::array<std::uint64_t, 20> tens{1};
    for (std::size_t i = 1; i < tens.size(); ++i) tens[i] = tens[i - 1] * 10;
    return tens;
}();

inline int count_digits(std::uint64_t n) {
    n |= 1;
    const int guess = static_cast<int>(std::bit_width(n)) * 1233 >> 12;  // floor(width * log10(2))
    return guess + (n >= kWholeTens[static_cast<std::size_t>(guess)] ? 1 : 0);
}

inline constexpr auto kPairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
        pairs[2 * i] = static_cast<char>('0' + i / 10);
        pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
}();

// The eight digits of a number below 10^8 as characters, the first one in the lowest byte: halves,
// quarters and digits are split off in all lanes at once (the divisions are exact for such numbers).
inline std::uint64_t make_8_digits(std::uint32_t number) {
    std::uint64_t v = number / 10'000 | static_cast<std::uint64_t>(number % 10'000) << 32;
    const std::uint64_t hundreds = ((v * 10'486) >> 20) & 0x0000'007f'0000'007f;
    v = hundreds | (v - hundreds * 100) << 16;
    const std::uint64_t tens = ((v * 103) >> 10) & 0x000f'000f'000f'000f;
    return (tens | (v - tens * 10) << 8) + 0x3030'3030'3030'3030;
}

inline void store_8(std::uint64_t characters, char* out) {
    if constexpr (std::endian::native == std::endian::big) characters = __builtin_bswap64(characters);
    std::memcpy(out, &characters, 8);
}

// Write a number of n_digits digits.
inline void write_digits(std::uint64_t number, int n_digits, char* out) {
    char* p = out + n_digits;
    for (; n_digits >= 8; n_digits -= 8, number /= 100'000'000) {
        p -= 8;
        store_8(make_8_digits(static_cast<std::uint32_t>(number % 100'000'000)), p);
    }
    auto rest = static_cast<std::uint32_t>(number);
    for (; n_digits >= 2; n_digits -= 2, rest /= 100) {
        p -= 2;
        std::memcpy(p, &kPairs[2 * (rest % 100)], 2);
    }
    if (n_digits == 1) *--p = static_cast<char>('0' + rest % 10);
}

inline char* write_whole(std::int64_t number, char* out) {
    auto magnitude = static_cast<std::uint64_t>(number);
    if (number < 0) {
        *out++ = '-';
        magnitude = 0 - magnitude;
    }
    const int n_digits = count_digits(magnitude);
    write_digits(magnitude, n_digits, out);
    return out + n_digits;
}

inline void drop_zeros(std::uint64_t& digits, int& exponent) {
    for (; digits % 100'000'000 == 0; exponent += 8) digits /= 100'000'000;
    for (; digits % 10 == 0; exponent += 1) digits /= 10;
}

// Write a finite number above 0 given by its digits: 0.00001 to 9999999999999999.0 with a point and
// at least one digit after it, others as 1.5e-7 or 1e+16. Polars writes so, and so did we with it.
inline char* write_decimal(Decimal decimal, char* out) {
    auto [digits, k] = decimal;
    if (digits % 10 == 0) drop_zeros(digits, k);
    const int n_digits = count_digits(digits);
    const int scale = k + n_digits - 1;  // floor(log10(value))
    if (scale >= -5 && scale <= 15) {
        if (scale < 0) {
            std::memcpy(out, "0.000000", 8);
            out += 1 - scale;
            write_digits(digits, n_digits, out);
            return out + n_digits;
        }
        const int n_whole = scale + 1;
        if (n_digits > n_whole) {
            write_digits(digits, n_digits, out + 1);
            std::memmove(out, out + 1, static_cast<std::size_t>(n_whole));
            out[n_whole] = '.';
            return out + n_digits + 1;
        }
        write_digits(digits, n_digits, out);
        std::memset(out + n_digits, '0', static_cast<std::size_t>(n_whole - n_digits));
        std::memcpy(out + n_whole, ".0", 2);
        return out + n_whole + 2;
    }
    write_digits(digits, n_digits, out + 1);
    *out = out[1];
    out[1] = '.';
    out += n_digits > 1 ? n_digits + 1 : 1;
    *out++ = 'e';
    *out++ = scale < 0 ? '-' : '+';
    return write_whole(scale < 0 ? -scale : scale, out);
}

// Write a number, at most kLongestNumber bytes; "NaN", "inf" or "-inf" where it is not finite.
inline char* write_number(double number, char* out) {
    const auto bits = std::bit_cast<std::uint64_t>(number);
    const std::uint64_t magnitude = bits & ~(std::uint64_t{1} << 63);
    if (std::isnan(number)) return static_cast<char*>(std::memcpy(out, "NaN", 3)) + 3;
    if (bits != magnitude) *out++ = '-';
    if (std::isinf(number)) return static_cast<char*>(std::memcpy(out, "inf", 3)) + 3;
    if (magnitude == 0) return static_cast<char*>(std::memcpy(out, "0.0", 3)) + 3;
    return write_decimal(find_shortest(magnitude), out);
}

// Round to a number of decimals, as numpy.round does: scaled, to the nearest whole number, ties to
// even, and back. From 2^52 on there is nothing to round.
inline double round_decimals(double number, int decimals) {
    if (!(std::fabs(number) < 0x1p52)) return number;
    const double scale = kTens[decimals];
    const double scaled = number * scale;
    const double magnitude = std::fabs(scaled);
    if (!(magnitude < 0x1p52)) return scaled / scale;
    // From 2^52 on doubles are whole, so that the sum rounds.
    return std::copysign((magnitude + 0x1p52) - 0x1p52, scaled) / scale;
}

}  // namespace matscore
