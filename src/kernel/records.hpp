// Records of delimited text (RFC 4180, strictly) into columns of numbers and texts.
//
// A first walk tells how many records there are (cutting.hpp); in a second one a record is a run of
// cells, each of which ends at a bit of a block. Whether quotes are sound is looked at before.
#pragma once

#include <limits>

#include "cutting.hpp"
#include "levels.hpp"

namespace matscore {

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
        for (const char* p = data_; (p = find_byte(p, end_, '\r')) != end_;)
            has_lone_return_ |= ++p != end_ && *p != '\n';
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
            copy_text({p, end}, text.bytes);
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

    // Read a cell that is no plain number: quoted, with blanks around it, missing, a word for 1 or 0.
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

    // Add a cell's text, without its quotes and a doubled one as one.
    static void copy_text(string_view cell, Buffer<char>& to) {
        if (cell.empty() || cell.front() != '"') {
            to.insert(to.end(), cell.begin(), cell.end());
            return;
        }
        for (size_t i = 1; i + 1 < cell.size(); ++i) {
            to.push_back(cell[i]);
            if (cell[i] == '"') ++i;
        }
    }

    // A cell's text; in `scratch_` where it is quoted.
    string_view unquote(string_view cell) {
        if (cell.empty() || cell.front() != '"') return cell;
        scratch_.clear();
        copy_text(cell, scratch_);
        return {scratch_.data(), scratch_.size()};
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
    Buffer<char> scratch_;
};

}  // namespace matscore
