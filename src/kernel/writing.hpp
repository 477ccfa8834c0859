// Rows as CSV, TSV and JSON lines.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
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
        for (const char c : {delimiter_, '"', '\n', '\r'}) {
            needs_quotes_[static_cast<unsigned char>(c)] = !is_json_;
        }
        for (unsigned c = 0; c < 256; ++c) {
            if (is_json_) needs_quotes_[c] = c < 0x20 || c == '"' || c == '\\';
        }
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (is_json_) {
                std::string name(6 * columns_[i].key.size() + 3, '\0');
                name.resize(static_cast<std::size_t>(
                    write_json_text(columns_[i].key, false, name.data()) - name.data()));
                columns_[i].key = (i > 0 ? ',' : '{') + name + ':';
            }
        }
    }

    // Bytes that `write` may touch, at most.
    std::size_t bound() const {
        std::size_t n = 64 + 3 * n_rows_;  // what is written ahead, and the ends of rows
        for (const OutputColumn& column : columns_) {
            n += n_rows_ * (column.key.size() + 1);
            n += column.texts.offsets == nullptr ? n_rows_ * kLongestNumber : bound_texts(column);
        }
        return n;
    }

    char* write(char* out) const {
        const std::string_view row_end = !is_json_                            ? "\n"
                                         : style_.format == Format::kJson ? "},\n"
                                                                          : "}\n";
        for (std::size_t row = 0; row < n_rows_; ++row) {
            for (const OutputColumn& column : columns_) {
                if (is_json_) {
                    out = copy(column.key, out);
                } else if (&column != columns_.data()) {
                    *out++ = delimiter_;
                }
                out = write_cell(column, row, out);
            }
            out = copy(row_end, out);
        }
        // In a JSON array a comma stands between rows and not after them.
        return style_.format == Format::kJson && n_rows_ > 0 ? out - 2 : out;
    }

  private:
    static char* copy(std::string_view text, char* out) {
        std::memcpy(out, text.data(), text.size());
        return out + text.size();
    }

    std::size_t bound_texts(const OutputColumn& column) const {
        const TextsView& texts = column.texts;
        const std::size_t most = is_json_ ? 6 : 2;  // bytes that one may become
        std::size_t n = 4 * n_rows_;                // quotes, apostrophe or null
        for (std::size_t row = 0; row < n_rows_; ++row) {
            const std::size_t i = column.codes != nullptr ? static_cast<std::size_t>(column.codes[row]) : row;
            if (column.codes != nullptr && column.codes[row] < 0) continue;
            n += static_cast<std::size_t>(texts.offsets[i + 1] - texts.offsets[i]);
            if (column.codes != nullptr) {
                n += (most - 1) * count_special(texts.bytes + texts.offsets[i], texts.bytes + texts.offsets[i + 1]);
            }
        }
        if (column.codes == nullptr && n_rows_ > 0) {
            n += (most - 1) * count_special(texts.bytes + texts.offsets[0], texts.bytes + texts.offsets[n_rows_]);
        }
        return n;
    }

    // Bytes that are written as more than one.
    std::size_t count_special(const char* p, const char* end) const {
        if (!is_json_) return count_byte(p, end, '"');
        std::size_t n = 0;
        for (; p != end; ++p) {
            n += static_cast<std::size_t>((static_cast<unsigned char>(*p) < 0x20) | (*p == '"') | (*p == '\\'));
        }
        return n;
    }

    char* write_cell(const OutputColumn& column, std::size_t row, char* out) const {
        if (column.texts.offsets != nullptr) return write_text_cell(column, row, out);
        const bool is_absent = column.absent != nullptr && column.absent[row];
        if (column.wholes != nullptr) {
            if (is_absent) return is_json_ ? copy("null", out) : out;
            return write_whole(column.wholes[row], out);
        }
        double number = column.numbers[static_cast<std::ptrdiff_t>(row) * column.stride];
        if (is_json_ && (is_absent || !std::isfinite(number))) return copy("null", out);
        if (is_absent) return out;
        if (style_.precision >= 0) number = round_decimals(number, style_.precision);
        return write_number(number, out);
    }

    char* write_text_cell(const OutputColumn& column, std::size_t row, char* out) const {
        std::size_t i = row;
        if (column.codes != nullptr) i = static_cast<std::size_t>(column.codes[row]);
        const bool is_absent = (column.codes != nullptr && column.codes[row] < 0) ||
                               (column.texts.absent != nullptr && column.texts.absent[i]);
        if (is_absent) {
            if (!is_json_) return out;
            return copy(column.is_nullable ? "null" : "\"\"", out);
        }
        const std::uint64_t* const offsets = column.texts.offsets;
        const std::string_view text(column.texts.bytes + offsets[i],
                                    static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
        return is_json_ ? write_json_text(text, is_formula(text), out) : write_csv_text(text, out);
    }

    bool is_formula(std::string_view text) const {
        return style_.excel_safe && !text.empty() &&
               std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
    }

    // A text is quoted only where it must be, and where it is empty, to be told from nothing.
    char* write_csv_text(std::string_view text, char* const start) const {
        char* out = start;
        if (is_formula(text)) *out++ = '\'';
        bool is_quoted = text.empty();
        for (const char c : text) {
            *out++ = c;
            is_quoted |= needs_quotes_[static_cast<unsigned char>(c)];
        }
        if (!is_quoted) return out;
        out = start;
        *out++ = '"';
        if (is_formula(text)) *out++ = '\'';
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
        for (const char c : text) {
            if (needs_quotes_[static_cast<unsigned char>(c)]) {
                out = write_escape(c, out);
            } else {
                *out++ = c;
            }
        }
        *out++ = '"';
        return out;
    }

    static char* write_escape(char c, char* out) {
        static constexpr std::string_view kSigns = "\"\\\b\f\n\r\t";
        static constexpr std::string_view kNames = "\"\\bfnrt";
        const std::size_t i = kSigns.find(c);
        *out++ = '\\';
        if (i != std::string_view::npos) {
            *out++ = kNames[i];
            return out;
        }
        out = copy("u00", out);
        *out++ = static_cast<char>('0' + c / 16);
        *out++ = "0123456789abcdef"[c % 16];
        return out;
    }

    OutputStyle style_;
    std::vector<OutputColumn> columns_;
    std::size_t n_rows_;
    bool is_json_ = false;
    char delimiter_ = ',';
    bool needs_quotes_[256] = {};
};

}  // namespace matscore
