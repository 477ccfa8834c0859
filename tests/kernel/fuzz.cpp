// A fuzzer of the kernel's text half: any bytes are cut, counted and parsed, and what was read is
// written and parsed again. Build and run it with tests/kernel/fuzz.sh.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../../src/kernel/numbers.hpp"
#include "../../src/kernel/records.hpp"
#include "../../src/kernel/writing.hpp"

using namespace matscore;

namespace {

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

// A text in memory of just its size and a NUL byte, so that any step past it is seen.
struct Text {
    explicit Text(const std::string& from) : size(from.size()), bytes(new char[from.size() + 1]) {
        std::memcpy(bytes, from.c_str(), size + 1);
    }
    Text(const Text&) = delete;
    Text& operator=(const Text&) = delete;
    ~Text() { delete[] bytes; }
    std::size_t size;
    char* bytes;
};

Layout make_layout(unsigned a, unsigned b) {
    Layout layout;
    layout.delimiter = ",;\t|. 1e"[a & 7];
    layout.mark = (a & 8) != 0 ? ',' : '.';
    layout.missing = static_cast<int>((a >> 4) % 3);
    layout.width = 1 + b % 5;
    layout.has_labels = (b & 64) != 0;
    for (std::size_t i = layout.width; i-- > 0;) {
        if ((b >> (3 + i % 3) & 1) != 0) layout.texts.push_back(i);
        if ((b >> (5 + i % 2) & 1) != 0 || i % 2 == 1) layout.features.push_back(i);
        if ((a & 128) != 0) layout.names.push_back(std::to_string(layout.width - 1 - i));
    }
    if ((a & 64) != 0) layout.words = {"NA", "-999", "n\"a"};
    static const Levels texts({"a", "NA", "", "\"", "0"}, false, true, false);
    static const Levels numbers({"1", "-999", "2.5"}, true, false, true);
    layout.unknown = static_cast<int>((a + b) % 3);
    if (a % 5 == 0) layout.levels.push_back({layout.width - 1, b % 2 == 0 ? &texts : &numbers});
    if (b % 5 == 0) layout.kept = layout.features;
    return layout;
}

std::string write(const Table& table, const OutputStyle& style) {
    std::vector<OutputColumn> columns;
    for (const TextColumn& text : table.texts) {
        OutputColumn& column = columns.emplace_back();
        column.key = columns.size() == 1 ? "" : ",";
        column.texts.emplace(std::span(text.offsets.data(), table.n_rows + 1),
                             std::span(reinterpret_cast<const std::uint8_t*>(text.bytes.data()), text.bytes.size()));
        column.absent = {reinterpret_cast<const bool*>(text.absent.data()), table.n_rows};
    }
    const std::size_t room = table.has_missing.size();
    for (std::size_t i = 0; i * room < table.values.size(); ++i) {
        OutputColumn& column = columns.emplace_back();
        column.key = columns.size() == 1 ? "" : ",";
        column.numbers = {table.values.data() + i * room, table.n_rows};
    }
    const Writer writer(style, columns, table.n_rows);
    Buffer<char> written;
    writer.write([&written](std::size_t size) {
        written.resize(size);
        return written.data();
    });
    return {written.begin(), written.end()};
}

bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : a == b; }

void check_numbers(const std::string& text) {
    const Text held(text);
    for (const char mark : {'.', ','}) {
        double value = 0;
        const char* const end = held.bytes + held.size;
        const char* stop = read_number(held.bytes, end, mark, value);
        require(stop == nullptr || (stop > held.bytes && stop <= end), "a number ends in the text");
        if (stop == nullptr) continue;
        require(std::isfinite(value), "a number is finite");
        std::string plain(static_cast<const char*>(held.bytes), stop);
        std::replace(plain.begin(), plain.end(), ',', '.');
        require(std::strtod(plain.c_str(), nullptr) == value, "strtod reads the same");
    }
    double bits = 0;
    if (text.size() < sizeof bits) return;
    std::memcpy(&bits, text.data(), sizeof bits);
    char written[kLongestNumber];
    const char* const end = write_number(bits, written);
    require(end <= written + 25, "a number is short");
    double again = 0;
    if (!std::isfinite(bits)) return;
    require(read_number(written, end, '.', again) == end && bits == again, "it reads back");
}

void check_records(const Layout& layout, const std::string& text) {
    const Text held(text);
    const char* const end = held.bytes + held.size;
    const Scan counts = scan_text(held.bytes, end, layout.delimiter);
    require(counts.n_quoted <= counts.n_lines && counts.n_lines <= held.size, "lines add up");
    require(counts.after_newline >= held.bytes && counts.after_newline <= end, "in the text");
    const Table table = Parser(layout, held.bytes, held.size).parse();
    const std::size_t room = table.has_missing.size();
    const std::size_t n_columns = layout.features.size() + layout.levels.size();
    require(table.n_rows <= room && table.values.size() == n_columns * room, "the shape");
    const bool is_kept = layout.missing == kKeep || layout.unknown == kKeep || !layout.kept.empty();
    for (std::size_t i = 0; i < n_columns; ++i)
        for (std::size_t row = 0; row < table.n_rows; ++row) {
            const double value = table.values[i * room + row];
            require(std::isfinite(value) || is_kept, "finite");
            if (i < layout.features.size()) continue;
            require(std::isnan(value) || (value >= -1.0 && value <= 6.0), "a code is in range");
        }
    require(table.n_rows + table.bad.size() == table.n_records, "no record is lost");
    std::int64_t before = 0;
    for (const BadRecord& bad : table.bad) {
        require(bad.start >= before && bad.end >= bad.start &&
                    bad.end <= static_cast<std::int64_t>(held.size),
                "bad records are in order");
        require(bad.line < static_cast<std::int64_t>(counts.n_lines) + 1, "a line there is");
        before = bad.end;
    }
    for (const char* const row_end : {"\n", "}\n", "},\n"}) {
        for (const char delimiter : {',', '\t'}) write(table, {*row_end == '}', delimiter, row_end});
    }
    if (counts.misplaced != nullptr || counts.is_open) return;
    if (table.texts.empty() && n_columns == 0) return;
    // What is written without options is read back.
    Layout plain;
    plain.missing = kKeep;
    plain.words = {"NaN"};
    plain.width = table.texts.size() + n_columns;
    for (std::size_t i = 0; i < plain.width; ++i) {
        (i < table.texts.size() ? plain.texts : plain.features).push_back(i);
    }
    const Text written(write(table, {}));
    const Table again = Parser(plain, written.bytes, written.size).parse();
    const Scan rescan = scan_text(written.bytes, written.bytes + written.size, ',');
    require(rescan.misplaced == nullptr && !rescan.is_open, "what is written can be read");
    for (const BadRecord& bad : again.bad) {
        require(bad.fault == kDelimitersOnly || bad.fault == kByteOrderMark, "rows are good");
    }
    require(again.n_records == table.n_rows, "as many rows");
    if (!again.bad.empty()) return;
    for (std::size_t i = 0; i < n_columns; ++i)
        for (std::size_t row = 0; row < table.n_rows; ++row)
            require(same(table.values[i * room + row], again.values[i * again.has_missing.size() + row]),
                    "the same numbers");
    for (std::size_t i = 0; i < table.texts.size(); ++i) {
        const TextColumn& a = table.texts[i];
        const TextColumn& b = again.texts[i];
        require(std::string(a.bytes.data(), a.offsets[table.n_rows]) ==
                    std::string(b.bytes.data(), b.offsets[table.n_rows]),
                "the same texts");
        for (std::size_t row = 0; row < table.n_rows; ++row)
            require(a.absent[row] == b.absent[row], "absent cells");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
    check_numbers(text);
    check_records(make_layout(data[0], data[1]), text);
    return 0;
}

#ifdef STANDALONE
// Without libFuzzer: so many random texts, from a seed.
int main(int argc, char** argv) {
    std::uint64_t state = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const long n = argc > 1 ? std::atol(argv[1]) : 100'000;
    const auto draw = [&state](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33) % below;
    };
    static const char* const pieces[] = {",", ",", "\n", "\n", "\r\n", "\r", "\"", "\"\"", "1", "-999",
                                         "2.5", "1e400", "NA", "", " ", "a", "\xc3\xa9", "\xef\xbb\xbf",
                                         "\xff", "0", "12345678901234567890123", "e", ".", ";", "\t",
                                         "\"a\nb\"", "=1", "0.0000001", "9007199254740993"};
    for (long i = 0; i < n; ++i) {
        std::string text;
        for (int k = 0; k < 2; ++k) text += static_cast<char>(draw(256));
        for (std::uint64_t k = draw(30); k > 0; --k) text += pieces[draw(std::size(pieces))];
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }
    std::printf("%ld texts\n", n);
}
#endif
