// Numbers from text, by the one grammar of the program and rounded right, and back to text: the
// shortest digits that read back to the same double.
#pragma once

#include <charconv>
#include <cmath>
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
    // The first bits of 5^q, the highest first. They start with those of 5^-342, and again with 1.
    std::array<uint64_t, 4> power{0xeef4'53d6'923b'd65a, 0x113f'aa29'06a1'3b3f,
                                  0xdfbc'7e99'bdd5'0e9b};
    for (int q = kMinPower; q <= kMaxPower; ++q) {
        if (q == 0) power = {uint64_t{1} << 63};
        const bool is_exact = q >= 0 && q <= 55;
        powers[static_cast<size_t>(q - kMinPower)] = {power[0], power[1] + (is_exact ? 0 : 1)};
        std::array<uint64_t, 4> next{};
        for (size_t i = 3; i-- > 0;) {
            const Wide product = static_cast<Wide>(power[i]) * 5 + next[0];
            next[i + 1] = static_cast<uint64_t>(product);
            next[0] = static_cast<uint64_t>(product >> 64);
        }
        const int shift = std::countl_zero(next[0]);
        for (size_t i = 0; i < 3; ++i) power[i] = next[i] << shift | next[i + 1] >> (64 - shift);
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
