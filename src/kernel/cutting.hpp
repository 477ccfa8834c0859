// Where records end and where quotes are misplaced. Texts start at a record boundary.
#pragma once

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
        const char* bytes = start = next_;
        if (end_ - start < 64) {
            std::memset(padded_, 0, 64);
            bytes = std::copy(start, end_, padded_) - (end_ - start);
        }
        next_ = end_ - start < 64 ? end_ : start + 64;
        newlines = find_in_block(bytes, '\n');
        quotes = find_in_block(bytes, '"');
        // Each bit becomes the sum of the quotes up to it.
        uint64_t sums = quotes;
        for (int i = 1; quotes != 0 && i < 64; i *= 2) sums ^= sums << i;
        inside = sums ^ open_;
        open_ = uint64_t{0} - (inside >> 63);
        ends = (newlines | find_in_block(bytes, delimiter_)) & ~inside;
        return true;
    }

    bool is_open() const { return open_ != 0; }  // at the end of the block

    const char* start = nullptr;
    uint64_t newlines = 0, quotes = 0;
    uint64_t inside = 0;  // from an opening quote on, without the closing one
    uint64_t ends = 0;    // of cells

  private:
    const char *next_, *end_;
    char delimiter_;
    uint64_t open_ = 0;  // all bits where the block ends inside quotes
    char padded_[64];
};

// What a walk through a text finds. A quote opens or closes wherever it stands, but up to the first
// misplaced one all are where they may be.
struct Scan {
    size_t n_lines = 0;                   // line ends
    size_t n_quoted = 0;                  // of them, inside quotes
    const char* after_newline = nullptr;  // after the last one outside, before a misplaced quote
    const char* misplaced = nullptr;      // the first quote that is
    bool is_closing = false;              // whether that would close
    bool is_open = false;                 // whether the text ends inside quotes
};

// Whether a closing quote may stand before p.
inline bool may_follow_quote(const char* p, const char* end, char delimiter) {
    const char* const next = p != end && *p == '\r' ? p + 1 : p;
    return next == end || *next == '\n' || (next == p && (*p == delimiter || *p == '"'));
}

inline Scan scan_text(const char* data, const char* end, char delimiter) {
    const string_view text(data, static_cast<size_t>(end - data));
    Scan scan{count_byte(data, end, '\n'), 0, data};
    if (text.find('"') == text.npos) {
        scan.after_newline += text.rfind('\n') + 1;
        return scan;
    }
    Blocks block(data, end, delimiter);
    uint64_t may_open = 1;  // whether a quote may open at the start of the block
    while (block.step()) {
        scan.n_quoted += static_cast<size_t>(std::popcount(block.newlines & block.inside));
        if (scan.misplaced != nullptr) continue;
        const uint64_t closing = block.quotes & ~block.inside;
        uint64_t bad = block.quotes & block.inside & ~((block.ends | closing) << 1 | may_open);
        // What stands after the others closes them as well.
        auto rest = closing & ~((block.ends | block.quotes) >> 1);
        for (; rest != 0; rest &= rest - 1) {
            const char* const after = block.start + std::countr_zero(rest) + 1;
            if (!may_follow_quote(after, end, delimiter)) bad |= rest & (~rest + 1);
        }
        may_open = (block.ends | closing) >> 63;
        bad &= ~bad + 1;  // the first one
        if (bad != 0) {
            scan.misplaced = block.start + std::countr_zero(bad);
            scan.is_closing = (closing & bad) != 0;
        }
        const uint64_t outer = block.ends & block.newlines & (bad - 1);
        if (outer != 0) scan.after_newline = block.start + 64 - std::countl_zero(outer);
    }
    scan.is_open = block.is_open();
    return scan;
}

}  // namespace matscore
