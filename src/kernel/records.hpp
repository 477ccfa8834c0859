// Records of delimited text (RFC 4180, strictly) into columns of numbers and texts.
//
// A first walk tells where records end, how many there are and whether quotes are sound; in a
// second one a record is a run of cells, each of which ends at a bit of a block.
#pragma once

#include <limits>

#include "levels.hpp"

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

// What is wrong with a record.
enum Fault : int64_t {
    kNoFault,
    kWidth,           // too few or too many cells; a blank line has one
    kDelimitersOnly,  // no cell has text
    kByteOrderMark,   // at its start
    kReturn,          // a carriage return that ends no line
    kNumber,          // a cell that is no number
    kMissing,         // a missing cell where none may be
    kLevel,           // a text that is no level of its column
    kHeaderAgain,     // its cells are the header's
};

// What is done with a missing cell, or a text that is no level. Zero: none of the levels.
enum Policy : int { kRefuse, kZero, kKeep };

// What a column has for 1 and for 0.
using Pair = std::pair<std::string, std::string>;

struct Layout {
    char delimiter = ',', mark = '.';
    size_t width = 0;
    int missing = kRefuse, unknown = kRefuse;  // policies
    std::vector<size_t> features, texts;  // columns read as numbers, in the output's order; as text
    std::vector<size_t> kept;             // features whose missing cells are NaN and no more
    std::vector<std::pair<size_t, const Levels*>> levels;  // columns read as levels
    std::vector<std::string> words;       // for a missing cell, without blanks around them
    std::vector<std::string> names;       // the header's cells; none without one
    bool has_labels = false;              // so that a header of numbers can be told from data
    std::vector<std::pair<size_t, Pair>> booleans;  // features whose cells are these words instead
};

struct BadRecord {
    int64_t record, line;  // from 0, in the chunk
    int64_t start, end;    // bytes, without the line end
    int64_t column;        // from 0; -1 where no single cell is at fault
    int64_t fault, n_cells;
};

struct TextColumn {
    Buffer<uint64_t> offsets;  // one more than there are rows
    Buffer<char> bytes;
    Buffer<uint8_t> absent;  // cells with nothing at all, not even quotes
};

// There is room for more rows, whose memory is unwritten.
struct Table {
    size_t n_rows = 0, n_records = 0;
    Buffer<double> values;  // (n_features + n_levels, room): the numbers, then the codes
    std::vector<TextColumn> texts;
    Buffer<uint8_t> has_missing;  // rows of which a missing cell is kept
    Buffer<BadRecord> bad;
};

class Parser {
  public:
    Parser(const Layout& layout, const char* data, size_t size)
        : layout_(layout), words_(layout.words, layout.mark), data_(data), end_(data + size),
          scan_(scan_text(data_, end_, layout.delimiter)), blocks_(data_, end_, layout.delimiter) {}

    Table parse() {
        prepare();
        for (const char* p = data_; p != end_;) p = read_record(p);
        return std::move(table_);
    }

  private:
    // What is read of a column: numbers, the text, the codes of its levels.
    struct Column {
        double *numbers = nullptr, *codes = nullptr;
        TextColumn* text = nullptr;
        const Levels* levels = nullptr;
        const Pair* booleans = nullptr;
        bool is_kept = false;
    };

    // The first such byte outside quotes, or the end; p is outside.
    static const char* find_outside(const char* p, const char* end, char byte) {
        bool is_inside = false;
        while (p != end && (is_inside || *p != byte)) is_inside ^= *p++ == '"';
        return p;
    }

    size_t n_values() const { return layout_.features.size() + layout_.levels.size(); }

    void prepare() {
        capacity_ = scan_.n_lines - scan_.n_quoted + (scan_.after_newline != end_ ? 1 : 0);
        // A record has at least as many bytes as cells (the last may lack its line end).
        capacity_ = std::min(capacity_, static_cast<size_t>(end_ - data_) / layout_.width + 1);
        table_.values.resize(n_values() * capacity_);
        table_.has_missing.resize(capacity_);
        table_.texts.resize(layout_.texts.size());
        columns_.resize(layout_.width);
        double* to = table_.values.data();
        for (const size_t i : layout_.features) columns_[i].numbers = to, to += capacity_;
        for (const size_t i : layout_.kept) columns_[i].is_kept = true;
        for (const auto& [i, pair] : layout_.booleans) columns_[i].booleans = &pair;
        for (const auto& [i, levels] : layout_.levels) {
            columns_[i].levels = levels;
            columns_[i].codes = to, to += capacity_;
        }
        for (size_t i = 0; i < layout_.texts.size(); ++i) {
            TextColumn& text = *(columns_[layout_.texts[i]].text = &table_.texts[i]);
            text.absent.resize(capacity_);
            text.offsets.resize(capacity_ + 1);
            text.offsets[0] = 0;
        }
        const string_view text(data_, end_);
        for (size_t i = text.find('\r'); i < text.size(); i = text.find('\r', i + 1))
            has_lone_return_ |= i + 1 < text.size() && text[i + 1] != '\n';
    }

    // Where the next cell ends: at a delimiter, a line end or the end.
    const char* next_end() {
        while (ends_ == 0) {
            if (!blocks_.step()) return end_;
            ends_ = blocks_.ends;
        }
        const char* const at = blocks_.start + std::countr_zero(ends_);
        ends_ &= ends_ - 1;
        return at;
    }

    // Read a record, keep it or say what is wrong with it, and return where the next starts.
    const char* read_record(const char* const start) {
        const auto record = static_cast<int64_t>(table_.n_records);
        BadRecord bad{record, line_, start - data_, 0, -1, kNoFault, 0};
        has_missing_ = false;
        size_t n_cells = 0;
        const char* p = start;
        const char* end = nullptr;  // of a cell, without a line end
        for (bool is_last = false; !is_last; ++n_cells) {
            const char* const at = next_end();
            is_last = at == end_ || *at == '\n';
            end = is_last && at != p && at[-1] == '\r' ? at - 1 : at;
            if (n_cells < layout_.width) {
                const Fault fault = read_cell(columns_[n_cells], p, end);
                if (fault != kNoFault && bad.column < 0) {
                    bad.fault = fault;
                    bad.column = static_cast<int64_t>(n_cells);
                }
            }
            p = at != end_ ? at + 1 : at;
        }
        bad.end = end - data_;
        bad.n_cells = static_cast<int64_t>(n_cells);
        if (const Fault fault = judge_whole(start, end, n_cells); fault != kNoFault) {
            bad.fault = fault;
            bad.column = -1;
        } else if ((bad.fault != kNoFault || layout_.has_labels) && repeats_header(start, end)) {
            bad.fault = kHeaderAgain;
        }
        if (bad.fault == kNoFault) {
            table_.has_missing[table_.n_rows++] = has_missing_;
            for (TextColumn& text : table_.texts) text.offsets[table_.n_rows] = text.bytes.size();
        } else {
            table_.bad.push_back(bad);
        }
        ++table_.n_records;
        line_ += scan_.n_quoted > 0 ? std::count(start, p, '\n') : 1;
        return p;
    }

    // What is wrong with a record that ends at `end`, whatever its cells are.
    Fault judge_whole(const char* p, const char* end, size_t n_cells) const {
        const string_view record(p, end);
        if (n_cells != layout_.width) return kWidth;
        if (record.size() == layout_.width - 1) return kDelimitersOnly;
        if (record.substr(0, 3) == "\xef\xbb\xbf") return kByteOrderMark;
        return has_lone_return_ && find_outside(p, end, '\r') != end ? kReturn : kNoFault;
    }

    // Whether a record, as wide as it should be, has the header's cells.
    bool repeats_header(const char* p, const char* end) {
        const string_view record(p, end);
        if (layout_.names.empty() ||
            !(record.starts_with('"') || record.starts_with(layout_.names[0])))
            return false;  // most are told by their start
        for (const std::string& name : layout_.names) {
            const char* const cell_end = find_outside(p, end, layout_.delimiter);
            if (unquote({p, cell_end}) != name) return false;
            p = cell_end + 1;
        }
        return true;
    }

    [[gnu::always_inline]] Fault read_cell(const Column& column, const char* p, const char* end) {
        Fault fault = kNoFault;
        const size_t row = table_.n_rows;
        if (column.text != nullptr) {
            TextColumn& text = *column.text;
            text.bytes.resize(text.offsets[row]);
            const string_view cell = unquote({p, end});
            text.bytes.insert(text.bytes.end(), cell.begin(), cell.end());
            text.absent[row] = p == end;
        }
        if (column.levels != nullptr)
            fault = take_level(*column.levels, unquote({p, end}), column.codes[row]);
        if (column.numbers == nullptr) return fault;
        double& value = column.numbers[row];
        const bool is_number = read_number(p, end_, layout_.mark, value) == end;
        if (is_number && column.booleans == nullptr && !words_.has(value)) return fault;
        const Fault other = read_odd_number({p, end}, column, value);
        return other != kNoFault ? other : fault;
    }

    // Read a cell that is no plain number: quoted, with blanks around, missing, a word for 1 or 0.
    [[gnu::noinline]] Fault read_odd_number(string_view cell, const Column& column, double& value) {
        const string_view core = strip(unquote(cell));
        if (words_.has(core)) {
            value = std::numeric_limits<double>::quiet_NaN();
            return column.is_kept || do_without(layout_.missing, 0.0, value) ? kNoFault : kMissing;
        }
        const Pair* const pair = column.booleans;
        if (pair == nullptr) return read_whole(core, layout_.mark, value) ? kNoFault : kNumber;
        value = core == pair->first ? 1.0 : 0.0;
        return value == 1.0 || core == pair->second ? kNoFault : kNumber;
    }

    [[gnu::noinline]] Fault take_level(const Levels& levels, string_view text, double& code) {
        code = levels.find(text, words_, layout_.mark);
        if (code >= 0.0) return kNoFault;
        const bool is_missing = code == Levels::kMissing;
        const int policy = is_missing ? layout_.missing : layout_.unknown;
        return do_without(policy, -1.0, code) ? kNoFault : is_missing ? kMissing : kLevel;
    }

    // Put what stands for no value; false where that is refused.
    bool do_without(int policy, double zero, double& value) {
        has_missing_ |= policy == kKeep;
        value = policy == kKeep ? std::numeric_limits<double>::quiet_NaN() : zero;
        return policy != kRefuse;
    }

    // A cell's text, without its quotes and a doubled one as one; good until the next call.
    string_view unquote(string_view cell) {
        if (!cell.starts_with('"')) return cell;
        const string_view inner = cell.substr(1, cell.size() - 2);
        if (inner.find('"') == inner.npos) return inner;
        scratch_.clear();
        for (size_t i = 0; i < inner.size(); ++i) {
            scratch_ += inner[i];
            if (inner[i] == '"') ++i;
        }
        return scratch_;
    }

    const Layout& layout_;
    const MissingWords words_;
    const char *const data_, *const end_;
    const Scan scan_;
    Blocks blocks_;
    uint64_t ends_ = 0;  // of cells, in the block
    Table table_;
    size_t capacity_ = 0;
    int64_t line_ = 0;
    bool has_lone_return_ = false;  // perhaps one inside quotes
    bool has_missing_ = false;  // the record that is read
    std::vector<Column> columns_;
    std::string scratch_;
};

}  // namespace matscore
