// Where a stream of records can be cut, and how many records a piece has.
//
// Texts start at a record boundary and are followed by a NUL byte, as in records.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes.hpp"

namespace matscore {

// Leave blank lines before a cut for the next piece: they may be the last of the file.
inline const char* trim_blank(const char* data, const char* cut) {
    const char* p = cut;
    while (p != data && (p[-1] == '\n' || p[-1] == '\r')) --p;
    if (p == data) return data;
    const char* newline = find_byte(p, cut, '\n');
    return newline == cut ? cut : newline + 1;
}

// Where to cut a text: after its last whole record that is not blank; before the first misplaced
// quote's line; or after that line alone, where it is the first. `data` where nothing can be cut
// off. With `is_last` the text is all there is, and its last record needs no line end.
inline const char* find_cut(const char* data, const char* end, char delimiter, bool is_last) {
    const char* after_newline = data;  // the last one outside quotes
    const char* misplaced = nullptr;
    const char* p = data;
    bool is_open = false;
    for (;;) {
        const char* const quote = find_byte(p, end, '"');
        const char* const newline = find_last_byte(p, quote, '\n');
        if (newline != nullptr) after_newline = newline + 1;
        if (quote == end) break;
        if (quote != data && quote[-1] != delimiter && quote[-1] != '\n') {
            misplaced = quote;
            break;
        }
        const char* closing = find_byte(quote + 1, end, '"');
        while (closing != end && closing[1] == '"') closing = find_byte(closing + 2, end, '"');
        if (closing == end) {
            is_open = true;
            break;
        }
        p = closing + 1;
        const char* const after = p != end && *p == '\r' ? p + 1 : p;
        if (p != end && *p != delimiter && *p != '\n' &&
            (after == p || (after != end && *after != '\n'))) {
            misplaced = closing;
            break;
        }
    }
    if (misplaced != nullptr) {
        if (after_newline != data) return after_newline;
        const char* const newline = find_byte(misplaced, end, '\n');
        return newline != end ? newline + 1 : is_last ? end : data;
    }
    return trim_blank(data, is_last && !is_open ? end : after_newline);
}

struct Counts {
    std::size_t n_lines;   // line ends
    std::size_t n_quoted;  // of them, inside quotes
};

// Count line ends; a quote opens or closes wherever it stands.
inline Counts count_lines(const char* p, const char* end) {
    const std::size_t n_lines = count_byte(p, end, '\n');
    std::size_t n_quoted = 0;
    std::uint64_t is_inside = 0;
    p = find_byte(p, end, '"');
    for (; end - p >= 8; p += 8) {
        const std::uint64_t word = load_8(p);
        // Each byte: the quotes up to it and, in its lowest bit, whether it is inside.
        const std::uint64_t n_quotes = (find_in_word(word, '"') + is_inside) * kOnes;
        n_quoted += static_cast<std::size_t>(((find_in_word(word, '\n') & n_quotes) * kOnes) >> 56);
        is_inside = (n_quotes >> 56) & 1;
    }
    for (; p != end; ++p) {
        is_inside ^= static_cast<std::uint64_t>(*p == '"');
        n_quoted += static_cast<std::size_t>(is_inside & static_cast<std::uint64_t>(*p == '\n'));
    }
    return {n_lines, n_quoted};
}

}  // namespace matscore
