// Bytes, eight and sixty-four at a time, and memory that grows.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace matscore {

using std::ptrdiff_t, std::size_t, std::span, std::string_view;
using namespace std::string_view_literals;
using Wide = unsigned __int128;

inline constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
inline constexpr uint64_t kHighs = 0x8080'8080'8080'8080;

// Eight bytes, the first one in the lowest place.
inline uint64_t load_8(const char* p) {
    uint64_t word = 0;
    std::memcpy(&word, p, 8);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    return word;
}

inline void store_8(uint64_t word, char* out) {
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    std::memcpy(out, &word, 8);
}

// A bit for each of the 64 bytes at p, the first one lowest: whether it is `byte`.
inline uint64_t find_in_block(const char* p, char byte) {
    uint64_t found = 0;
#ifdef __SSE2__
    for (int i = 0; i < 4; ++i) {
        const __m128i lanes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i);
        const int bits = _mm_movemask_epi8(_mm_cmpeq_epi8(lanes, _mm_set1_epi8(byte)));
        found |= static_cast<uint64_t>(bits) << (16 * i);
    }
#else
    for (int i = 0; i < 8; ++i) {
        const uint64_t other = load_8(p + 8 * i) ^ (kOnes * static_cast<unsigned char>(byte));
        const uint64_t ones = (~(((other & ~kHighs) + ~kHighs) | other) & kHighs) >> 7;
        // The product has the lowest bits of the eight bytes side by side at its top.
        found |= ((ones * 0x0102'0408'1020'4080) >> 56) << (8 * i);
    }
#endif
    return found;
}

inline size_t count_byte(const char* p, const char* end, char byte) {
    size_t n = 0;
    while (p != end) {
        // So few that a byte can count them, which lets the compiler use all lanes.
        const char* const stop = end - p > 192 ? p + 192 : end;
        uint8_t n_here = 0;
        for (; p != stop; ++p) n_here = static_cast<uint8_t>(n_here + (*p == byte));
        n += n_here;
    }
    return n;
}

// Leaves new memory unwritten: most of it is written next.
template <typename T>
struct Unwritten : std::allocator<T> {
    void construct(T* place) { ::new (static_cast<void*>(place)) T; }
};

template <typename T>
using Buffer = std::vector<T, Unwritten<T>>;

inline void expect(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

// Texts in memory, one after the other.
struct Texts {
    span<const uint64_t> offsets{};  // where each starts and the last one ends
    const char* bytes = "";

    Texts() = default;
    Texts(span<const uint64_t> ends, span<const uint8_t> from) : offsets(ends) {
        expect(!ends.empty() && std::is_sorted(ends.begin(), ends.end()) &&
                   ends.back() <= from.size(),
               "offsets of texts are out of order or out of range");
        if (!from.empty()) bytes = reinterpret_cast<const char*>(from.data());
    }
    size_t size() const { return offsets.size() - 1; }
    string_view operator[](size_t i) const {
        return {bytes + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
    }
};

}  // namespace matscore
