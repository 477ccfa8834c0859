// What a number is, and numbers from text: the one grammar of the program, rounded right.
#pragma once

#include <charconv>
#include <cstdlib>

#include "bytes.hpp"

namespace matscore {

// Powers of ten that are doubles, and those that are integers of 64 bits.
inline constexpr double kTens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
inline constexpr auto kWholeTens = [] {
    std::array<uint64_t, 20> tens{1};
    for (size_t i = 1; i < tens.size(); ++i) tens[i] = tens[i - 1] * 10;
    return tens;
}();

inline constexpr int kMinPower = -342;
inline constexpr int kMaxPower = 324;

struct Power {
    uint64_t high, low;
};

// For each q, 10^q / 2^(floor(log2(10^q)) - 127) rounded up: exact for 0 <= q <= 55, else less than
// one above. Each power of five is made of its neighbour in 192 bits, which lose less than one in
// the last place a step, ten bits in all; no power has 50 equal bits after the first 128.
consteval std::array<Power, kMaxPower - kMinPower + 1> make_powers() {
    std::array<Power, kMaxPower - kMinPower + 1> powers{};
    using Limbs = std::array<uint64_t, 4>;  // the highest first; three of them are kept
    const auto normalize = [](const Limbs& limbs) {
        const int shift = std::countl_zero(limbs[0]);
        Limbs bits{};
        for (size_t i = 0; i < 3; ++i) bits[i] = limbs[i] << shift | limbs[i + 1] >> (64 - shift);
        return bits;
    };
    const auto put = [&](int q, const Limbs& bits) {
        const bool is_exact = q >= 0 && q <= 55;
        powers[static_cast<size_t>(q - kMinPower)] = {bits[0], bits[1] + (is_exact ? 0 : 1)};
    };
    Limbs up{uint64_t{1} << 63}, down = up, next{};
    for (int q = 0; q <= kMaxPower; ++q, up = normalize(next)) {
        put(q, up);
        next[0] = 0;
        for (size_t i = 3; i-- > 0;) {
            const Wide product = static_cast<Wide>(up[i]) * 5 + next[0];
            next[i + 1] = static_cast<uint64_t>(product);
            next[0] = static_cast<uint64_t>(product >> 64);
        }
    }
    for (int q = -1; q >= kMinPower; --q) {
        uint64_t rest = 0;
        for (size_t i = 0; i < 4; ++i) {
            const Wide dividend = static_cast<Wide>(rest) << 64 | down[i];
            next[i] = static_cast<uint64_t>(dividend / 5);
            rest = static_cast<uint64_t>(dividend % 5);
        }
        down = normalize(next);
        put(q, down);
    }
    return powers;
}

inline constexpr auto kPowers = make_powers();

constexpr Power power_of_10(int q) { return kPowers[static_cast<size_t>(q - kMinPower)]; }

// floor(log2(10^q)) for |q| <= 1233: 1741647 / 2^19 is just above log2(10).
constexpr int floor_log2_power_of_10(int q) { return (q * 1'741'647) >> 19; }

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline constexpr uint64_t kInfinityBits = uint64_t{0x7ff} << 52;

// Find the double next to w * 10^q, or to all of [w, w + 1) * 10^q where digits were cut; false
// where 128 bits of 10^q do not tell, or it is below all doubles. After Eisel and Lemire ("Number
// Parsing at a Gigabyte per Second", 2021, section 5), but what is near a halfway point is left to
// exact arithmetic, so that no case has to be proved apart.
inline bool round_decimal(uint64_t w, int q, bool is_cut, uint64_t& bits) {
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
    bits = static_cast<uint64_t>(product >> drop) + (rest > half ? 1 : 0);
    // The hidden bit adds one to the exponent, a carry out of the mantissa another.
    if (scale >= -1022) bits += static_cast<uint64_t>(scale + 1022) << 52;
    return true;
}

// The rest of read_number: any count of digits, any exponent. The digits stand in [first, last)
// with or without a mark; the value is these digits as an integer, times 10^exponent.
[[gnu::noinline]] inline uint64_t round_digits(const char* first, const char* last,
                                               int64_t exponent) {
    // A halfway point has at most 767 significant digits: one that is not 0 stands for all further.
    constexpr int kMostDigits = 770;
    char text[kMostDigits + 32];
    char* out = text;
    uint64_t w = 0;  // the first 19 of them
    int64_t n_digits = 0;
    bool is_cut = false;
    for (const char* p = first; p != last; ++p) {
        if (!is_digit(*p) || (n_digits == 0 && *p == '0')) continue;
        if (n_digits < 19) w = w * 10 + static_cast<uint64_t>(*p - '0');
        if (n_digits < kMostDigits) *out++ = *p;
        else is_cut = is_cut || *p != '0';
        ++n_digits;
    }
    const int64_t q = exponent + (n_digits > 19 ? n_digits - 19 : 0);
    if (w == 0 || q < kMinPower) return 0;  // below 1e-324, less than half the least double
    if (q > 309) return kInfinityBits;
    uint64_t bits = 0;
    if (round_decimal(w, static_cast<int>(q), n_digits > 19, bits)) return bits;
    // The C library is exact. It is given a whole number and an exponent: the mark that it knows
    // depends on the process's locale.
    if (is_cut) *out++ = '1';
    const int64_t rest = exponent + n_digits - (out - text);
    *out++ = 'e';
    *std::to_chars(out, out + 24, rest).ptr = '\0';
    return std::bit_cast<uint64_t>(std::strtod(text, nullptr));
}

// Add the digits at p to `w`, which wraps, and return where they end.
inline const char* read_digits(const char* p, const char* end, uint64_t& w) {
    while (end - p >= 8) {
        // Bytes less '0': above 9 where no digit stands (the sum reaches the high bit).
        const uint64_t digits = load_8(p) ^ kOnes * '0';
        const uint64_t others = ((digits + kOnes * 0x76) | digits) & kHighs;
        const int n = others != 0 ? std::countr_zero(others) >> 3 : 8;
        if (n == 0) return p;
        // Eight digits with zeros in front; then pairs, fours and all of them are summed up in all
        // lanes at once (Lemire 2021, section 3).
        uint64_t v = digits << (64 - 8 * n);
        v = v * 10 + (v >> 8);
        v = ((v & 0x0000'00ff'0000'00ff) * (100 + (uint64_t{1'000'000} << 32)) +
             ((v >> 16) & 0x0000'00ff'0000'00ff) * (1 + (uint64_t{10'000} << 32))) >> 32;
        w = w * kWholeTens[static_cast<size_t>(n)] + v;
        p += n;
        if (n < 8) return p;
    }
    for (; p != end && is_digit(*p); ++p) w = w * 10 + static_cast<uint64_t>(*p - '0');
    return p;
}

// Read a number at p: sign, digits with a decimal mark, exponent. Returns where it ends, or null
// where none stands there or it is too large for a double. Blanks are the caller's.
[[gnu::always_inline]] inline const char* read_number(const char* p, const char* end, char mark,
                                                      double& value) {
    if (p == end) return nullptr;
    // Without branches: nobody can guess the sign of the next number.
    const uint64_t sign = uint64_t{*p == '-'} << 63;
    p += (*p == '-') | (*p == '+');
    const char* const first = p;
    uint64_t w = 0;  // wraps where there are more than 19 digits, and is not used then
    for (; p != end && is_digit(*p); ++p) w = w * 10 + static_cast<uint64_t>(*p - '0');
    int64_t n_digits = p - first;
    int64_t exponent = 0;
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
        int64_t written = 0;
        for (; p != end && is_digit(*p); ++p) {
            // Past any text's length: no digits can make up for more.
            if (written < int64_t{1} << 50) written = written * 10 + (*p - '0');
        }
        if (p == start) return nullptr;
        exponent += is_down ? -written : written;
    }
    uint64_t bits = 0;
    if (n_digits <= 19 && w <= uint64_t{1} << 53 && exponent >= -22 && exponent <= 22) {
        // Both are doubles, so that one operation rounds once (Clinger, "How to Read Floating
        // Point Numbers Accurately", 1990, section 2).
        const auto whole = static_cast<double>(static_cast<int64_t>(w));
        const double scaled = exponent < 0 ? whole / kTens[-exponent] : whole * kTens[exponent];
        bits = std::bit_cast<uint64_t>(scaled);
    } else {
        bits = round_digits(first, last, exponent);
        if (bits >= kInfinityBits) return nullptr;
    }
    value = std::bit_cast<double>(bits | sign);
    return p;
}

[[gnu::noinline]] inline bool read_whole(string_view text, char mark, double& value) {
    const char* const end = text.data() + text.size();
    return read_number(text.data(), end, mark, value) == end;
}

inline string_view strip(string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

}  // namespace matscore
