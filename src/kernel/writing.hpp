// Rows as CSV, TSV and JSON lines.
#pragma once

#include "shortest.hpp"

namespace matscore {

struct TextsView {
    const uint64_t* offsets = nullptr;  // n + 1, ascending, none past the end of `bytes`
    const char* bytes = nullptr;
    const bool* absent = nullptr;  // or null where none is
    string_view operator[](size_t i) const {
        return {bytes + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
    }
};

// A column of an output: numbers, whole numbers or texts, one of the three.
struct OutputColumn {
    std::string key;  // what stands before its cells
    const double* numbers = nullptr;
    const int64_t* wholes = nullptr;
    TextsView texts;
    const int32_t* codes = nullptr;  // which text a row has, negative for none
    const bool* absent = nullptr;    // rows without a number
    bool is_nullable = false;        // whether nothing is null in JSON, not ""
};

struct OutputStyle {
    bool is_json = false;  // objects, or else delimited text
    char delimiter = ',';
    std::string row_end = "\n";  // at most four bytes
};

class Writer {
  public:
    Writer(const OutputStyle& style, std::vector<OutputColumn> columns, size_t n_rows)
        : style_(style), columns_(std::move(columns)), n_rows_(n_rows) {
        for (const char c : {'"', style.is_json ? '\\' : style.delimiter, '\n', '\r'})
            is_special_[static_cast<unsigned char>(c)] = true;
        if (style.is_json) std::fill_n(is_special_, 0x20, true);
        for (OutputColumn& column : columns_)
            if (column.texts.bytes == nullptr) column.texts.bytes = "";  // all texts are empty
    }

    // Write into memory that resize(size) gives, with what is there already.
    template <typename Resize>
    void write(const Resize& resize) const {
        size_t size = n_rows_ * columns_.size() * 24 + 1024;  // a guess
        char* start = resize(size);
        char* out = start;
        for (size_t row = 0; row < n_rows_; ++row) {
            for (const OutputColumn& column : columns_) {
                const string_view text = find_text(column, row);
                // A byte becomes at most six; quotes or the row's end come besides.
                const size_t n_most = column.key.size() + 6 * text.size() + kLongestNumber + 8;
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
        const TextsView& texts = column.texts;
        const bool is_coded = column.codes != nullptr;
        if (texts.offsets == nullptr || (is_coded && column.codes[row] < 0)) return {};
        const auto i = is_coded ? static_cast<size_t>(column.codes[row]) : row;
        if (texts.absent != nullptr && texts.absent[i]) return {};
        return texts[i];
    }

    char* write_cell(const OutputColumn& column, size_t row, string_view text, char* out) const {
        if (text.data() != nullptr) return write_text(text, out);
        if (column.texts.offsets != nullptr)
            return !style_.is_json ? out : copy(column.is_nullable ? "null" : "\"\"", out);
        const double number = column.numbers != nullptr ? column.numbers[row] : 0.0;
        const bool is_absent = column.absent != nullptr && column.absent[row];
        if (style_.is_json && (is_absent || !std::isfinite(number))) return copy("null", out);
        if (is_absent) return out;
        if (column.wholes != nullptr) return write_whole(column.wholes[row], out);
        return write_number(number, out);
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
