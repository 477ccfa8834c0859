// Where records end, where quotes are misplaced, and where a stream of records can be cut. Texts
// start at a record boundary.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bytes.hpp"

namespace matscore {

// A text, 64 bytes at a time: a bit for each byte, the first one lowest.
class Blocks {
  public:
    Blocks(const char* data, const char* end, char delimiter)
        : next_(data), end_(end), delimiter_(delimiter) {}

    // Step to the next block; false where there is none.
    bool step() {
        if (next_ == end_) return false;
        start = bytes = next_;
        const std::ptrdiff_t n_left = end_ - start;
        if (n_left < 64) {
            std::memset(padded_, 0, 64);
            bytes = static_cast<char*>(std::memcpy(padded_, start, static_cast<std::size_t>(n_left)));
        }
        valid = n_left < 64 ? (std::uint64_t{1} << n_left) - 1 : ~std::uint64_t{0};
        next_ = n_left < 64 ? end_ : start + 64;
        newlines = find_in_block(bytes, '\n');
        delimiters = find_in_block(bytes, delimiter_);
        quotes = find_in_block(bytes, '"');
        // Each bit becomes the sum of the quotes up to it.
        std::uint64_t sums = quotes;
        for (int i = 1; quotes != 0 && i < 64; i *= 2) sums ^= sums << i;
        inside = sums ^ open_;
        open_ = std::uint64_t{0} - (inside >> 63);
        return true;
    }

    const char* start = nullptr;
    const char* bytes = nullptr;  // the same, with NUL bytes up to 64
    std::uint64_t newlines = 0, delimiters = 0, quotes = 0;
    std::uint64_t inside = 0;  // from an opening quote on, without the closing one
    std::uint64_t valid = 0;   // bytes of the text

  private:
    const char* next_;
    const char* end_;
    char delimiter_;
    std::uint64_t open_ = 0;  // all bits where the last block ended inside quotes
    char padded_[64];
};

// What a walk through a text finds. A quote opens or closes wherever it stands, but up to the first
// misplaced one all are where they may be.
struct Scan {
    std::size_t n_lines = 0;            // line ends
    std::size_t n_quoted = 0;           // of them, inside quotes
    const char* after_newline = nullptr;  // after the last one outside, before a misplaced quote
    const char* misplaced = nullptr;    // the first quote that is
    bool is_closing = false;            // whether that would close
    bool is_open = false;               // whether the text ends inside quotes
    bool has_lone_return = false;       // a carriage return outside quotes that ends no line
};

inline Scan scan_text(const char* data, const char* end, char delimiter) {
    Scan scan;
    scan.after_newline = data;
    Blocks block(data, end, delimiter);
    // Whether the byte before a block lets a quote open, is a closing quote, a carriage return, and
    // one after a closing quote.
    std::uint64_t may_open = 1, closed = 0, returned = 0, closed_returned = 0;
    while (block.step()) {
        std::uint64_t outer = block.newlines & ~block.inside;
        scan.n_lines += static_cast<std::size_t>(std::popcount(block.newlines));
        scan.n_quoted += static_cast<std::size_t>(std::popcount(block.newlines & block.inside));
        const auto shift = [](std::uint64_t bits, std::uint64_t& carry) {
            const std::uint64_t shifted = bits << 1 | carry;
            carry = bits >> 63;
            return shifted;
        };
        const std::uint64_t returns = find_in_block(block.bytes, '\r') & ~block.inside;
        const std::uint64_t lone = shift(returns, returned) & ~block.newlines & block.valid;
        scan.has_lone_return = scan.has_lone_return || lone != 0;
        const std::uint64_t closing = block.quotes & ~block.inside;
        const std::uint64_t ends = (block.newlines | block.delimiters) & ~block.inside;
        if ((block.quotes | closed | closed_returned) != 0 && scan.misplaced == nullptr) {
            const std::uint64_t after = shift(closing, closed);
            const std::uint64_t bad_after =
                (after & ~(ends | block.quotes | returns) & block.valid) |
                (shift(after & returns, closed_returned) & lone);
            const std::uint64_t opening = block.quotes & block.inside;
            const std::uint64_t bad_opening = opening & ~(ends << 1 | closing << 1 | may_open);
            if ((bad_after | bad_opening) != 0) {
                const int at = std::countr_zero(bad_after | bad_opening);
                scan.is_closing = (bad_after >> at & 1) != 0;
                scan.misplaced = block.start + at - (scan.is_closing ? 1 : 0);
                while (*scan.misplaced != '"') --scan.misplaced;  // a return may stand between
                outer &= (std::uint64_t{1} << at) - 1;
            }
        } else if (scan.misplaced != nullptr) {
            outer = 0;
        }
        may_open = (ends | closing) >> 63;
        if (outer != 0) scan.after_newline = block.start + 64 - std::countl_zero(outer);
        scan.is_open = (block.inside & (block.valid ^ block.valid >> 1)) != 0;
    }
    return scan;
}

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
    const Scan scan = scan_text(data, end, delimiter);
    if (scan.misplaced == nullptr) {
        return trim_blank(data, is_last && !scan.is_open ? end : scan.after_newline);
    }
    if (scan.after_newline != data) return scan.after_newline;
    const char* const newline = find_byte(scan.misplaced, end, '\n');
    return newline != end ? newline + 1 : is_last ? end : data;
}

}  // namespace matscore
