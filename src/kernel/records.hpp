// Records of delimited text (RFC 4180, strictly) into columns of numbers and texts.
//
// One pass: a record that is good is read by `read_record`, which gives up at the first thing that
// is odd; one that is not is looked at again by `judge_record`, which says what is wrong with it.
// The text must be followed by a NUL byte, as Python's bytes are: it ends every scan.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "buffer.hpp"
#include "bytes.hpp"
#include "numbers.hpp"

namespace matscore {

// What is wrong with a record, or (from kNul on) with the whole chunk.
enum Fault : std::int64_t {
    kNoFault,
    kWidth,           // too few or too many cells; a blank line has one
    kDelimitersOnly,  // no cell has text
    kByteOrderMark,   // at its start
    kReturn,          // a carriage return that ends no line
    kNumber,          // a cell that is no number
    kMissing,         // a missing cell where none may be
    kHeaderAgain,     // its cells are the header's
    kNul,
    kNotUtf8,
    kQuoteInside,     // a quote in a cell that does not start with one
    kTextAfterQuote,  // a closing quote with text after it
    kQuoteOpen,       // a quote that is never closed
};

enum class Missing { kRefuse, kZero, kKeep };

struct Layout {
    char delimiter = ',';
    char mark = '.';
    std::size_t width = 0;
    Missing missing = Missing::kRefuse;
    std::vector<std::size_t> features;  // columns read as numbers, in the order of the output
    std::vector<std::size_t> texts;     // columns read as text
    std::vector<std::string> words;     // for a missing cell, without blanks around them
    std::vector<std::string> names;     // the header's cells; none without one
    bool has_labels = false;            // a header of numbers can be told from data
};

struct BadRecord {
    std::int64_t record, line;  // from 0, in the chunk
    std::int64_t start, end;    // bytes, without the line end
    std::int64_t column;        // from 0; -1 where no single cell is at fault
    std::int64_t fault;
    std::int64_t n_cells;
};

// What makes the rest of a chunk unreadable.
struct Stop {
    Fault fault = kNoFault;
    std::int64_t at = 0;      // the byte
    std::int64_t column = 0;  // of a quote, from 0
};

struct TextColumn {
    Buffer<std::uint64_t> offsets;  // one more than there are rows
    Buffer<char> bytes;
    Buffer<bool> absent;  // cells with nothing at all, not even quotes; empty where there are none

    void mark_absent(std::size_t row, std::size_t capacity, bool is_absent) {
        if (absent.size() == 0) {
            if (!is_absent) return;
            absent.reserve(capacity);
            absent.set_size(capacity);
            std::memset(absent.data(), 0, capacity);
        }
        absent[row] = is_absent;
    }
};

struct Table {
    std::size_t n_rows = 0;
    std::size_t n_records = 0;
    Buffer<double> values;  // (n_features, n_rows)
    std::vector<TextColumn> texts;
    Buffer<std::int64_t> rows;  // the good records' places; empty where all are good
    Buffer<bool> has_missing;   // empty where no row has
    std::vector<BadRecord> bad;
    Stop stop;
};

class Parser {
  public:
    Parser(const Layout& layout, const char* data, std::size_t size)
        : layout_(layout), data_(data), end_(data + size) {}

    Table parse() {
        check_bytes();
        if (table_.stop.fault != kNoFault) return std::move(table_);
        prepare();
        const char* p = data_;
        while (p != end_) {
            const char* next = read_record(p);
            if (next == nullptr) next = judge_record(p);
            if (next == nullptr) break;
            line_ += is_quoted_ ? static_cast<std::int64_t>(count_byte(p, next, '\n')) : 1;
            ++table_.n_records;
            p = next;
        }
        finish();
        return std::move(table_);
    }

  private:
    struct Column {
        double* numbers;  // where its numbers go, or null
        TextColumn* text;
    };
    void check_bytes() {
        const char* at = find_byte(data_, end_, '\0');
        if (at != end_) {
            table_.stop = {kNul, at - data_, 0};
            return;
        }
        at = find_bad_utf8(data_, end_);
        if (at != end_) table_.stop = {kNotUtf8, at - data_, 0};
    }

    void prepare() {
        const auto size = static_cast<std::size_t>(end_ - data_);
        is_quoted_ = find_byte(data_, end_, '"') != end_;
        scratch_.reserve(64);
        // A record has at least as many bytes as cells (the last may lack its line end).
        capacity_ = count_byte(data_, end_, '\n') + (size > 0 && end_[-1] != '\n' ? 1 : 0);
        if (capacity_ > size / layout_.width + 1) capacity_ = size / layout_.width + 1;
        table_.values.reserve(layout_.features.size() * capacity_);
        columns_.assign(layout_.width, Column{nullptr, nullptr});
        for (std::size_t i = 0; i < layout_.features.size(); ++i) {
            columns_[layout_.features[i]].numbers = table_.values.data() + i * capacity_;
        }
        table_.texts.resize(layout_.texts.size());
        for (std::size_t i = 0; i < layout_.texts.size(); ++i) {
            columns_[layout_.texts[i]].text = &table_.texts[i];
            table_.texts[i].offsets.reserve(capacity_ + 1);
            table_.texts[i].offsets[0] = 0;
            table_.texts[i].bytes.reserve(64);
        }
        for (const char c : {layout_.delimiter, '\n', '\r', '"', '\0'}) {
            ends_scan_[static_cast<unsigned char>(c)] = true;
        }
        // A plain number can be read without knowing where its cell ends, unless the delimiter
        // could be a part of it or a word for a missing cell is a number.
        numbers_are_plain_ = !is_digit(layout_.delimiter) && layout_.delimiter != layout_.mark &&
                             std::string_view("+-eE").find(layout_.delimiter) == std::string::npos;
        double number = 0;
        for (const std::string& word : layout_.words) {
            numbers_are_plain_ = numbers_are_plain_ && !read_whole(word, number);
        }
        if (layout_.has_labels && !layout_.names.empty()) prepare_header_numbers();
    }

    // Where all features are named by numbers (pixels, say) a header is no bad row by itself.
    void prepare_header_numbers() {
        double number = 0;
        for (const std::size_t column : layout_.features) {
            if (!read_whole(strip(layout_.names[column]), number)) return header_numbers_.clear();
            header_numbers_.push_back(number);
        }
    }

    bool read_whole(std::string_view text, double& value) const {
        const char* const end = text.data() + text.size();
        return read_number(text.data(), end, layout_.mark, value) == end;
    }

    static std::string_view strip(std::string_view text) {
        while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
        while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
        return text;
    }

    static std::string_view span(const char* first, const char* last) {
        return {first, static_cast<std::size_t>(last - first)};
    }

    // Read a good record at p and return where the next one starts; null where it is not good, and
    // then nothing of it is kept.
    const char* read_record(const char* const start) {
        const std::size_t row = table_.n_rows;
        const std::size_t last = layout_.width - 1;
        const char* p = start;
        bool has_missing = false;
        if (starts_with_mark(p)) return nullptr;
        for (std::size_t i = 0;; ++i) {
            const Column& column = columns_[i];
            const char* cell_end = nullptr;
            if (column.numbers != nullptr) {
                double& value = column.numbers[row];
                if (numbers_are_plain_) cell_end = read_number(p, end_, layout_.mark, value);
                if (cell_end == nullptr || !ends_scan_[static_cast<unsigned char>(*cell_end)]) {
                    cell_end = read_odd_number(p, value, has_missing);
                    if (cell_end == nullptr) return nullptr;
                }
                if (column.text != nullptr) read_text(p, *column.text, row);
            } else if (column.text != nullptr) {
                cell_end = read_text(p, *column.text, row);
            } else {
                cell_end = skip_cell(p);
            }
            if (cell_end == nullptr) return nullptr;
            p = cell_end;
            if (i == last) break;
            if (*p != layout_.delimiter) return nullptr;
            ++p;
        }
        const auto length = static_cast<std::size_t>(p - start);
        const char* const next = skip_line_end(p);
        if (next == nullptr || length == last) return nullptr;
        if (!header_numbers_.empty() && repeats_header_numbers(row)) {
            if (find_cells(start) == kNoFault && repeats_header()) return nullptr;
        }
        keep_row(row, has_missing);
        return next;
    }

    void keep_row(std::size_t row, bool has_missing) {
        for (TextColumn& text : table_.texts) text.offsets[row + 1] = text.bytes.size();
        if (has_missing && table_.has_missing.size() == 0) {
            table_.has_missing.reserve(capacity_);
            table_.has_missing.set_size(capacity_);
            std::memset(table_.has_missing.data(), 0, capacity_);
        }
        if (table_.has_missing.size() > 0) table_.has_missing[row] = has_missing;
        if (!table_.bad.empty()) table_.rows.push(static_cast<std::int64_t>(table_.n_records));
        ++table_.n_rows;
    }

    bool starts_with_mark(const char* p) const {
        return end_ - p >= 3 && std::memcmp(p, "\xef\xbb\xbf", 3) == 0;
    }

    // Where the line after p ends, or null where no line ends at p. A return at the very end of the
    // text is half a line end.
    const char* skip_line_end(const char* p) const {
        if (*p == '\r') {
            ++p;
            if (p == end_) return p;
            return *p == '\n' ? p + 1 : nullptr;
        }
        if (p == end_) return p;
        return *p == '\n' ? p + 1 : nullptr;
    }

    const char* skip_bare(const char* p) const {
        while (!ends_scan_[static_cast<unsigned char>(*p)]) ++p;
        return p;
    }

    // The closing quote of a quoted cell at p, or null where there is none.
    const char* find_closing(const char* p, bool& has_quotes) const {
        for (++p;; p += 2) {
            p = find_byte(p, end_, '"');
            if (p == end_) return nullptr;
            if (p[1] != '"') return p;
            has_quotes = true;
        }
    }

    // The end of the cell at p, or null where a quote in it is misplaced.
    const char* skip_cell(const char* p) const {
        if (*p != '"') {
            p = skip_bare(p);
            return *p == '"' ? nullptr : p;
        }
        bool has_quotes = false;
        const char* closing = find_closing(p, has_quotes);
        return closing == nullptr ? nullptr : closing + 1;
    }

    const char* read_text(const char* p, TextColumn& column, std::size_t row) {
        const char* const cell_end = skip_cell(p);
        if (cell_end == nullptr) return nullptr;
        column.bytes.set_size(column.offsets[row]);
        copy_text(span(p, cell_end), column.bytes);
        column.mark_absent(row, capacity_, cell_end == p);
        return cell_end;
    }

    // Add a cell's text, without its quotes and a doubled one as one.
    static void copy_text(std::string_view cell, Buffer<char>& to) {
        char* out = to.extend(cell.size());
        if (cell.empty() || cell.front() != '"') {
            std::memcpy(out, cell.data(), cell.size());
            return to.set_size(to.size() + cell.size());
        }
        const char* const last = cell.data() + cell.size() - 1;
        for (const char* p = cell.data() + 1; p != last;) {
            const char* quote = find_byte(p, last, '"');
            if (quote != last) ++quote;  // the first of two
            std::memcpy(out, p, static_cast<std::size_t>(quote - p));
            out += quote - p;
            p = quote != last ? quote + 1 : quote;
        }
        to.set_size(static_cast<std::size_t>(out - to.data()));
    }

    // Read a cell that is no plain number: quoted, with blanks around it, missing. Returns its end,
    // or null where it makes the record bad.
    const char* read_odd_number(const char* p, double& value, bool& has_missing) {
        const char* const cell_end = skip_cell(p);
        if (cell_end == nullptr) return nullptr;
        const Fault fault = judge_cell(span(p, cell_end), value);
        if (fault == kMissing && layout_.missing != Missing::kRefuse) {
            has_missing = layout_.missing == Missing::kKeep;
            value = has_missing ? std::numeric_limits<double>::quiet_NaN() : 0.0;
            return cell_end;
        }
        return fault == kNoFault ? cell_end : nullptr;
    }

    Fault judge_cell(std::string_view cell, double& value) {
        const std::string_view core = strip(unquote(cell));
        bool is_missing = core.empty();
        for (const std::string& word : layout_.words) is_missing = is_missing || core == word;
        if (is_missing) return kMissing;
        return read_whole(core, value) ? kNoFault : kNumber;
    }

    // A cell's text; in `scratch_` where quotes are doubled in it.
    std::string_view unquote(std::string_view cell) {
        if (cell.empty() || cell.front() != '"') return cell;
        const std::string_view inside = cell.substr(1, cell.size() - 2);
        if (inside.find('"') == std::string_view::npos) return inside;
        scratch_.set_size(0);
        copy_text(cell, scratch_);
        return {scratch_.data(), scratch_.size()};
    }

    bool repeats_header_numbers(std::size_t row) const {
        for (std::size_t i = 0; i < header_numbers_.size(); ++i) {
            if (columns_[layout_.features[i]].numbers[row] != header_numbers_[i]) return false;
        }
        return true;
    }

    // Whether the cells that were found are the header's.
    bool repeats_header() {
        if (layout_.names.size() != cells_.size()) return false;
        for (std::size_t i = 0; i < cells_.size(); ++i) {
            if (unquote(cells_[i]) != layout_.names[i]) return false;
        }
        return true;
    }

    // Find the cells of the record at p, of which the first `width` are kept, and its end. Returns
    // the fault of a misplaced quote, which is then at `stop_at_`.
    Fault find_cells(const char* p) {
        cells_.clear();
        n_cells_ = 0;
        has_lone_return_ = false;
        for (;;) {
            const char* const first = p;
            if (*p == '"') {
                bool has_quotes = false;
                const char* const closing = find_closing(p, has_quotes);
                if (closing == nullptr) {
                    stop_at_ = find_last_byte(p, end_, '"');
                    return kQuoteOpen;
                }
                stop_at_ = closing;
                p = closing + 1;
                if (*p != layout_.delimiter && skip_line_end(p) == nullptr) return kTextAfterQuote;
            } else {
                while (*(p = skip_bare(p)) == '\r' && skip_line_end(p) == nullptr) {
                    has_lone_return_ = true;
                    ++p;
                }
                stop_at_ = p;
                if (*p == '"') return kQuoteInside;
            }
            if (cells_.size() < layout_.width) cells_.push_back(span(first, p));
            ++n_cells_;
            if (p == end_ || *p != layout_.delimiter) break;
            ++p;
        }
        record_end_ = p;
        return kNoFault;
    }

    // Say what is wrong with the record at p that could not be read, and return where the next one
    // starts; null where the rest of the chunk cannot be read.
    const char* judge_record(const char* start) {
        const Fault quote = find_cells(start);
        if (quote != kNoFault) {
            table_.stop = {quote, stop_at_ - data_, static_cast<std::int64_t>(n_cells_)};
            return nullptr;
        }
        BadRecord bad{static_cast<std::int64_t>(table_.n_records),
                      line_,
                      start - data_,
                      record_end_ - data_,
                      -1,
                      kNoFault,
                      static_cast<std::int64_t>(n_cells_)};
        judge_found(start, bad);
        if (table_.bad.empty()) {
            for (std::size_t i = 0; i < table_.n_rows; ++i) {
                table_.rows.push(static_cast<std::int64_t>(i));
            }
        }
        table_.bad.push_back(bad);
        return skip_line_end(record_end_);
    }

    void judge_found(const char* start, BadRecord& bad) {
        if (n_cells_ != layout_.width) {
            bad.fault = kWidth;
        } else if (static_cast<std::size_t>(record_end_ - start) == layout_.width - 1) {
            bad.fault = kDelimitersOnly;
        } else if (starts_with_mark(start)) {
            bad.fault = kByteOrderMark;
        } else if (has_lone_return_) {
            bad.fault = kReturn;
        } else {
            for (std::size_t i = 0; i < layout_.width && bad.fault == kNoFault; ++i) {
                if (columns_[i].numbers == nullptr) continue;
                double value = 0;
                const Fault fault = judge_cell(cells_[i], value);
                if (fault == kNoFault) continue;
                if (fault == kMissing && layout_.missing != Missing::kRefuse) continue;
                bad.fault = fault;
                bad.column = static_cast<std::int64_t>(i);
            }
            if (repeats_header()) bad.fault = kHeaderAgain;
            if (bad.fault == kNoFault) throw std::logic_error("a good record was not read");
        }
    }

    // Close the gaps between the columns that fewer rows than expected have left.
    void finish() {
        const std::size_t n = table_.n_rows;
        if (n < capacity_) {
            for (std::size_t i = 1; i < layout_.features.size(); ++i) {
                std::memmove(table_.values.data() + i * n, table_.values.data() + i * capacity_,
                             n * sizeof(double));
            }
        }
        table_.values.set_size(layout_.features.size() * n);
        for (TextColumn& text : table_.texts) {
            text.bytes.set_size(text.offsets[n]);
            text.offsets.set_size(n + 1);
            if (text.absent.size() > 0) text.absent.set_size(n);
        }
        if (table_.has_missing.size() > 0) table_.has_missing.set_size(n);
    }

    const Layout& layout_;
    const char* const data_;
    const char* const end_;
    Table table_;
    std::size_t capacity_ = 0;
    std::int64_t line_ = 0;
    bool ends_scan_[256] = {};
    bool is_quoted_ = false;
    bool numbers_are_plain_ = true;
    std::vector<Column> columns_;
    std::vector<double> header_numbers_;
    Buffer<char> scratch_;
    std::vector<std::string_view> cells_;  // of the record that is looked at
    std::size_t n_cells_ = 0;
    const char* record_end_ = nullptr;
    const char* stop_at_ = nullptr;
    bool has_lone_return_ = false;
};

}  // namespace matscore
