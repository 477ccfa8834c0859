// Rows as CSV, TSV and JSON lines.
#pragma once

#include <optional>

#include "numbers.hpp"

namespace matscore {

// A column of an output: numbers, whole numbers or texts, one of the three.
struct OutputColumn {
    std::string key;  // what stands before its cells
    span<const double> numbers{};
    span<const int64_t> wholes{};
    std::optional<Texts> texts{};
    span<const int32_t> codes{};  // if any, which text a row has, negative for none
    span<const bool> absent{};    // if any, texts that are nothing, or rows without a number
    bool is_nullable = false;          // whether nothing is null in JSON, not ""
};

struct OutputStyle {
    bool is_json = false;  // objects, or else delimited text
    char delimiter = ',';
    std::string row_end = "\n";
};

class Writer {
  public:
    Writer(const OutputStyle& style, std::vector<OutputColumn> columns, size_t n_rows)
        : style_(style), columns_(std::move(columns)), n_rows_(n_rows) {
        for (const char c : {'"', style.is_json ? '\\' : style.delimiter, '\n', '\r'})
            is_special_[static_cast<unsigned char>(c)] = true;
        if (style.is_json) std::fill_n(is_special_, 0x20, true);
        for (const auto& [key, numbers, wholes, texts, codes, absent, is_nullable] : columns_) {
            const bool has_own = texts && codes.empty();  // a text for each row
            const size_t n = texts ? texts->size() : n_rows, n_coded = codes.size();
            const size_t n_cells = has_own ? n : n_coded + numbers.size() + wholes.size();
            expect(n_rows == 0 || n_cells == n_rows, "a column is of another type or length");
            expect(absent.empty() || absent.size() == n, "the arrays differ in length");
            for (const int32_t code : codes)
                expect(code < static_cast<int64_t>(n), "a code is out of range");
        }
    }

    // Write into memory that resize(size) gives, with what is there already.
    template <typename Resize>
    void write(const Resize& resize) const {
        const size_t end_size = style_.row_end.size();
        size_t size = n_rows_ * (columns_.size() * 24 + end_size) + 1024;  // a guess
        char* start = resize(size);
        char* out = start;
        for (size_t row = 0; row < n_rows_; ++row) {
            for (const OutputColumn& column : columns_) {
                const string_view text = find_text(column, row);
                // A byte becomes at most six; quotes or the row's end come besides.
                const size_t n_most =
                    column.key.size() + 6 * text.size() + kLongestNumber + 4 + end_size;
                const auto n_written = static_cast<size_t>(out - start);
                if (size - n_written < n_most) {
                    size = 2 * size + n_most;
                    start = resize(size);
                    out = start + n_written;
                }
                out = write_cell(column, row, text, copy(column.key, out));
            }
            out = copy(style_.row_end, out);
        }
        resize(static_cast<size_t>(out - start));
    }

  private:
    static char* copy(string_view text, char* out) {
        for (const char c : text) *out++ = c;  // so few that a call would take longer
        return out;
    }

    // The text of a cell; without data where it has none.
    static string_view find_text(const OutputColumn& column, size_t row) {
        const bool is_coded = !column.codes.empty();
        if (!column.texts || (is_coded && column.codes[row] < 0)) return {};
        const auto i = is_coded ? static_cast<size_t>(column.codes[row]) : row;
        return !column.absent.empty() && column.absent[i] ? string_view() : (*column.texts)[i];
    }

    char* write_cell(const OutputColumn& column, size_t row, string_view text, char* out) const {
        if (text.data() != nullptr) return write_text(text, out);
        if (column.texts)
            return !style_.is_json ? out : copy(column.is_nullable ? "null" : "\"\"", out);
        const bool is_whole = column.numbers.empty();
        const double number = is_whole ? 0.0 : column.numbers[row];
        const bool is_absent = !column.absent.empty() && column.absent[row];
        if (style_.is_json && (is_absent || !std::isfinite(number))) return copy("null", out);
        if (is_absent) return out;
        return is_whole ? write_whole(column.wholes[row], out) : write_number(number, out);
    }

    // CSV is quoted only where it must be, and where a text is empty, to be told from nothing.
    char* write_text(string_view text, char* out) const {
        bool has_special = false;
        for (const char c : text) has_special |= is_special_[static_cast<unsigned char>(c)];
        const bool is_quoted = style_.is_json || has_special || text.empty();
        if (is_quoted) *out++ = '"';
        if (!has_special) out = std::copy(text.begin(), text.end(), out);
        for (size_t i = 0; has_special && i < text.size(); ++i) {
            const bool is_special = is_special_[static_cast<unsigned char>(text[i])];
            if (!is_special || !style_.is_json) *out++ = text[i];
            if (is_special && style_.is_json) out = escape(text[i], out);
            else if (text[i] == '"') *out++ = '"';
        }
        if (is_quoted) *out++ = '"';
        return out;
    }

    static char* escape(char c, char* out) {
        const size_t i = "\"\\\b\f\n\r\t"sv.find(c);
        *out++ = '\\';
        *out++ = "\"\\bfnrtu"[std::min<size_t>(i, 7)];
        if (i != string_view::npos) return out;
        for (const int digit : {0, 0, c / 16, c % 16}) *out++ = "0123456789abcdef"[digit];
        return out;
    }

    OutputStyle style_;
    std::vector<OutputColumn> columns_;
    size_t n_rows_;
    bool is_special_[256] = {};
};

}  // namespace matscore
