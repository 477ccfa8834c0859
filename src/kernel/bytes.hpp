// Questions about all the bytes of a chunk.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace matscore {

inline constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
inline constexpr std::uint64_t kHighs = 0x8080'8080'8080'8080;

// Eight bytes, the first one in the lowest place.
inline std::uint64_t load_8(const char* p) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    return word;
}

// 1 in each of eight bytes that is `byte`, 0 in the others.
inline std::uint64_t find_in_word(std::uint64_t word, char byte) {
    const std::uint64_t other = word ^ (kOnes * static_cast<unsigned char>(byte));
    return (~(((other & ~kHighs) + ~kHighs) | other) & kHighs) >> 7;
}

inline std::size_t count_byte(const char* p, const char* end, char byte) {
    std::size_t n = 0;
    while (p != end) {
        // So few that a byte can count them, which lets the compiler use all lanes.
        const char* const stop = end - p > 192 ? p + 192 : end;
        std::uint8_t n_here = 0;
        for (; p != stop; ++p) n_here = static_cast<std::uint8_t>(n_here + (*p == byte));
        n += n_here;
    }
    return n;
}

inline const char* find_byte(const char* p, const char* end, char byte) {
    const void* found = p != end ? std::memchr(p, byte, static_cast<std::size_t>(end - p)) : nullptr;
    return found != nullptr ? static_cast<const char*>(found) : end;
}

// The last such byte of [p, end), or null.
inline const char* find_last_byte(const char* p, const char* end, char byte) {
    while (end != p) {
        if (*--end == byte) return end;
    }
    return nullptr;
}

// Where a text stops being UTF-8: the first byte of what is no character, or the end (Unicode 15,
// table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
inline const char* find_bad_utf8(const char* p, const char* end) {
    while (p != end) {
        while (end - p >= 8 && (load_8(p) & kHighs) == 0) p += 8;
        if (p == end) break;
        const auto lead = static_cast<unsigned char>(*p);
        if (lead < 0x80) {
            ++p;
            continue;
        }
        if (lead < 0xc2 || lead > 0xf4) return p;
        const int n_more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
        if (end - p <= n_more) return p;
        for (int i = 1; i <= n_more; ++i) {
            const auto byte = static_cast<unsigned char>(p[i]);
            if (byte < low || byte > high) return p;
            low = 0x80;
            high = 0xbf;
        }
        p += n_more + 1;
    }
    return end;
}

}  // namespace matscore
