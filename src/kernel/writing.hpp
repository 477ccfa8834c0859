// Rows as CSV, TSV and JSON lines.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "shortest.hpp"

namespace matscore {

enum class Format { kCsv, kTsv, kJsonLines, kJson };

struct TextsView {
    const std::uint64_t* offsets = nullptr;  // n + 1, ascending, none past the end of `bytes`
    const char* bytes = nullptr;
    const bool* absent = nullptr;  // or null where none is
};

// A column of an output: numbers, whole numbers or texts, one of the three.
struct OutputColumn {
    std::string key;  // what stands before its cells
    const double* numbers = nullptr;
    std::ptrdiff_t stride = 1;  // of the numbers
    const std::int64_t* wholes = nullptr;
    TextsView texts;
    const std::int32_t* codes = nullptr;  // which text a row has, negative for none
    const bool* absent = nullptr;         // rows without a number
    bool is_nullable = false;             // whether nothing is null in JSON, not ""
};

struct OutputStyle {
    Format format = Format::kCsv;
    int precision = -1;       // decimals; negative for as many as it takes
    bool excel_safe = false;  // an apostrophe before what a spreadsheet takes for a formula
};

class Writer {
  public:
    Writer(const OutputStyle& style, std::vector<OutputColumn> columns, std::size_t n_rows)
        : style_(style), columns_(std::move(columns)), n_rows_(n_rows) {
        is_json_ = style.format == Format::kJson || style.format == Format::kJsonLines;
        delimiter_ = style.format == Format::kTsv ? '\t' : ',';
        for (unsigned c = 0; c < 256; ++c) {
            const char byte = static_cast<char>(c);
            is_special_[c] = byte == '"' || (is_json_ ? c < 0x20 || byte == '\\'
                                                      : byte == delimiter_ || byte == '\n' || byte == '\r');
        }
        for (OutputColumn& column : columns_) {
            if (column.texts.bytes == nullptr) column.texts.bytes = "";  // of texts that are all empty
            if (!is_json_) continue;
            std::string name(6 * column.key.size() + 3, '\0');
            name.resize(static_cast<std::size_t>(write_json_text(column.key, false, name.data()) - name.data()));
            column.key = (&column == columns_.data() ? '{' : ',') + name + ':';
        }
    }

    void write(Buffer<char>& to) const {
        const std::string_view row_end = !is_json_ ? "\n" : style_.format == Format::kJson ? "},\n" : "}\n";
        for (std::size_t row = 0; row < n_rows_; ++row) {
            for (const OutputColumn& column : columns_) {
                const std::string_view text = find_text(column, row);
                // A byte of text becomes at most six; a separator, quotes and an apostrophe, or the
                // row's end come besides.
                const std::size_t n_written = to.size();
                to.resize(n_written + column.key.size() + 6 * text.size() + kLongestNumber + 8);
                char* out = to.data() + n_written;
                if (is_json_) {
                    out = copy(column.key, out);
                } else if (&column != columns_.data()) {
                    *out++ = delimiter_;
                }
                out = write_cell(column, row, text, out);
                if (&column == &columns_.back()) out = copy(row_end, out);
                to.resize(static_cast<std::size_t>(out - to.data()));
            }
        }
        // In a JSON array a comma stands between rows and not after them.
        if (style_.format == Format::kJson && to.size() > 0) to.resize(to.size() - 2);
    }

  private:
    static char* copy(std::string_view text, char* out) {
        return std::copy(text.begin(), text.end(), out);
    }

    // The text of a cell; without data where it has none.
    static std::string_view find_text(const OutputColumn& column, std::size_t row) {
        const TextsView& texts = column.texts;
        if (texts.offsets == nullptr || (column.codes != nullptr && column.codes[row] < 0)) return {};
        const std::size_t i = column.codes != nullptr ? static_cast<std::size_t>(column.codes[row]) : row;
        if (texts.absent != nullptr && texts.absent[i]) return {};
        return {texts.bytes + texts.offsets[i], static_cast<std::size_t>(texts.offsets[i + 1] - texts.offsets[i])};
    }

    char* write_cell(const OutputColumn& column, std::size_t row, std::string_view text, char* out) const {
        if (column.texts.offsets != nullptr) {
            if (text.data() == nullptr) return !is_json_ ? out : copy(column.is_nullable ? "null" : "\"\"", out);
            const bool is_formula = style_.excel_safe && !text.empty() &&
                                    std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
            return is_json_ ? write_json_text(text, is_formula, out) : write_csv_text(text, is_formula, out);
        }
        const bool is_absent = column.absent != nullptr && column.absent[row];
        double number = 0;
        if (column.numbers != nullptr) number = column.numbers[static_cast<std::ptrdiff_t>(row) * column.stride];
        if (is_absent || (is_json_ && !std::isfinite(number))) return is_json_ ? copy("null", out) : out;
        if (column.wholes != nullptr) return write_whole(column.wholes[row], out);
        if (style_.precision >= 0) number = round_decimals(number, style_.precision);
        return write_number(number, out);
    }

    bool has_special(std::string_view text) const {
        bool found = false;
        for (const char c : text) found |= is_special_[static_cast<unsigned char>(c)];
        return found;
    }

    // A text is quoted only where it must be, and where it is empty, to be told from nothing.
    char* write_csv_text(std::string_view text, bool is_guarded, char* out) const {
        const bool is_quoted = text.empty() || has_special(text);
        if (is_quoted) *out++ = '"';
        if (is_guarded) *out++ = '\'';
        if (!is_quoted) return copy(text, out);
        for (const char c : text) {
            if (c == '"') *out++ = '"';
            *out++ = c;
        }
        *out++ = '"';
        return out;
    }

    char* write_json_text(std::string_view text, bool is_guarded, char* out) const {
        *out++ = '"';
        if (is_guarded) *out++ = '\'';
        if (!has_special(text)) {
            out = copy(text, out);
        } else {
            for (const char c : text) {
                if (is_special_[static_cast<unsigned char>(c)]) out = write_escape(c, out);
                else *out++ = c;
            }
        }
        *out++ = '"';
        return out;
    }

    static char* write_escape(char c, char* out) {
        const std::size_t i = std::string_view("\"\\\b\f\n\r\t").find(c);
        *out++ = '\\';
        *out++ = "\"\\bfnrtu"[std::min<std::size_t>(i, 7)];
        if (i != std::string_view::npos) return out;
        for (const int digit : {0, 0, c / 16, c % 16}) *out++ = "0123456789abcdef"[digit];
        return out;
    }

    OutputStyle style_;
    std::vector<OutputColumn> columns_;
    std::size_t n_rows_;
    bool is_json_ = false;
    char delimiter_ = ',';
    bool is_special_[256] = {};
};

}  // namespace matscore
