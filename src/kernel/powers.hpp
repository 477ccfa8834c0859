// Powers of ten to 128 bits, for reading and writing numbers, and the integers they are made with.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace matscore {

using Wide = unsigned __int128;

// An unsigned integer of at most 4096 bits. No number of the grammar needs more than 2,800 once its
// digits are cut to kMostDigits; what would not fit is dropped rather than written past the end.
class Big {
  public:
    constexpr explicit Big(std::uint64_t value = 0) {
        for (; value != 0; value >>= 32) push(static_cast<std::uint32_t>(value));
    }

    // this = this * factor + term
    constexpr void multiply_add(std::uint32_t factor, std::uint32_t term = 0) {
        std::uint64_t carry = term;
        for (std::size_t i = 0; i < size_; ++i) {
            carry += std::uint64_t{limbs_[i]} * factor;
            limbs_[i] = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry != 0) push(static_cast<std::uint32_t>(carry));
    }

    constexpr void multiply_power_of_5(int n) {
        for (; n >= 13; n -= 13) multiply_add(1'220'703'125);  // 5^13
        for (; n > 0; --n) multiply_add(5);
    }

    constexpr void divide_by_5() {
        std::uint64_t rest = 0;
        for (std::size_t i = size_; i-- > 0;) {
            rest = (rest << 32) | limbs_[i];
            limbs_[i] = static_cast<std::uint32_t>(rest / 5);
            rest %= 5;
        }
        while (size_ > 0 && limbs_[size_ - 1] == 0) --size_;
    }

    constexpr void shift_left(int n) {
        for (; n >= 31; n -= 31) multiply_add(std::uint32_t{1} << 31);
        multiply_add(std::uint32_t{1} << n);
    }

    // The 128 bits from the highest on, and whether any bit below them is set.
    constexpr Wide top(bool& rest) const {
        Wide bits = 0;
        int n_wanted = 128;
        rest = false;
        for (std::size_t i = size_; i-- > 0;) {
            const int n_here = i + 1 == size_ ? static_cast<int>(std::bit_width(limbs_[i])) : 32;
            const int n_taken = n_here < n_wanted ? n_here : n_wanted;
            const std::uint64_t limb = limbs_[i];
            bits = (bits << n_taken) | (limb >> (n_here - n_taken));
            rest = rest || (limb & ((std::uint64_t{1} << (n_here - n_taken)) - 1)) != 0;
            n_wanted -= n_taken;
        }
        return bits << n_wanted;
    }

    // Negative, zero or positive as a is less than, equal to or greater than b.
    friend constexpr int compare(const Big& a, const Big& b) {
        if (a.size_ != b.size_) return a.size_ < b.size_ ? -1 : 1;
        for (std::size_t i = a.size_; i-- > 0;) {
            if (a.limbs_[i] != b.limbs_[i]) return a.limbs_[i] < b.limbs_[i] ? -1 : 1;
        }
        return 0;
    }

  private:
    constexpr void push(std::uint32_t limb) {
        if (size_ < limbs_.size()) limbs_[size_++] = limb;
    }

    std::array<std::uint32_t, 128> limbs_{};
    std::size_t size_ = 0;
};

inline constexpr int kMinPower = -342;
inline constexpr int kMaxPower = 324;
inline constexpr int kMaxExactPower = 55;  // 5^55 is the last that 128 bits hold

struct Power {
    std::uint64_t high, low;
};

// For each q, 10^q / 2^(floor(log2(10^q)) - 127) rounded up: exact for 0 <= q <= kMaxExactPower,
// else less than one above.
consteval std::array<Power, kMaxPower - kMinPower + 1> make_powers() {
    std::array<Power, kMaxPower - kMinPower + 1> powers{};
    bool rest = false;
    const auto put = [&](int q, Wide bits) {
        powers[static_cast<std::size_t>(q - kMinPower)] = {static_cast<std::uint64_t>(bits >> 64),
                                                           static_cast<std::uint64_t>(bits)};
    };
    Big up(1);  // 5^q
    for (int q = 0; q <= kMaxPower; ++q, up.multiply_add(5)) {
        const Wide bits = up.top(rest);
        put(q, bits + (rest ? 1 : 0));
    }
    Big down(1);  // 2^1000 / 5^-q, always a little too small
    down.shift_left(1000);
    for (int q = -1; q >= kMinPower; --q) {
        down.divide_by_5();
        put(q, down.top(rest) + 1);
    }
    return powers;
}

inline constexpr auto kPowers = make_powers();

constexpr Power power_of_10(int q) { return kPowers[static_cast<std::size_t>(q - kMinPower)]; }

constexpr bool is_exact_power(int q) { return q >= 0 && q <= kMaxExactPower; }

// floor(log2(10^q)) for |q| <= 1233: 1741647 / 2^19 is just above log2(10).
constexpr int floor_log2_power_of_10(int q) { return (q * 1'741'647) >> 19; }

}  // namespace matscore
