// Powers of ten to 128 bits, for reading and writing numbers.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace matscore {

using Wide = unsigned __int128;

// Powers of ten that are doubles, and those that are integers of 64 bits.
inline constexpr double kTens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
inline constexpr auto kWholeTens = [] {
    std::array<std::uint64_t, 20> tens{1};
    for (std::size_t i = 1; i < tens.size(); ++i) tens[i] = tens[i - 1] * 10;
    return tens;
}();

inline constexpr int kMinPower = -342;
inline constexpr int kMaxPower = 324;

struct Power {
    std::uint64_t high, low;
};

// For each q, 10^q / 2^(floor(log2(10^q)) - 127) rounded up: exact for 0 <= q <= 55, else less than
// one above. Each power of five is made of its neighbour in 192 bits, which lose less than one in
// the last place a step, ten bits in all; no power has 50 equal bits after the first 128.
consteval std::array<Power, kMaxPower - kMinPower + 1> make_powers() {
    std::array<Power, kMaxPower - kMinPower + 1> powers{};
    std::array<std::uint64_t, 3> up{0, 0, std::uint64_t{1} << 63};  // lowest first, highest bit set
    std::array<std::uint64_t, 3> down = up;
    const auto put = [&](int q, const std::array<std::uint64_t, 3>& bits) {
        const bool is_exact = q >= 0 && q <= 55;
        powers[static_cast<std::size_t>(q - kMinPower)] = {bits[2], bits[1] + (is_exact ? 0 : 1)};
    };
    for (int q = 0; q <= kMaxPower; ++q) {
        put(q, up);
        std::uint64_t carry = 0;
        for (std::uint64_t& limb : up) {
            const Wide product = static_cast<Wide>(limb) * 5 + carry;
            limb = static_cast<std::uint64_t>(product);
            carry = static_cast<std::uint64_t>(product >> 64);
        }
        const auto shift = std::bit_width(carry);
        for (std::size_t i = 0; i < 3; ++i) {
            up[i] = up[i] >> shift | (i < 2 ? up[i + 1] : carry) << (64 - shift);
        }
    }
    for (int q = -1; q >= kMinPower; --q) {
        std::uint64_t rest = 0;
        for (std::size_t i = 3; i-- > 0;) {
            const Wide dividend = static_cast<Wide>(rest) << 64 | down[i];
            down[i] = static_cast<std::uint64_t>(dividend / 5);
            rest = static_cast<std::uint64_t>(dividend % 5);
        }
        const auto shift = std::countl_zero(down[2]);
        down[2] = down[2] << shift | down[1] >> (64 - shift);
        down[1] = down[1] << shift | down[0] >> (64 - shift);
        down[0] = down[0] << shift | (rest << shift) / 5;
        put(q, down);
    }
    return powers;
}

inline constexpr auto kPowers = make_powers();

constexpr Power power_of_10(int q) { return kPowers[static_cast<std::size_t>(q - kMinPower)]; }

// floor(log2(10^q)) for |q| <= 1233: 1741647 / 2^19 is just above log2(10).
constexpr int floor_log2_power_of_10(int q) { return (q * 1'741'647) >> 19; }

}  // namespace matscore
