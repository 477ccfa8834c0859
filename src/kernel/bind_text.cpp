// The extension module, its text half: numbers, records, cutting and writing. What memory depends
// on is checked here; whether a layout makes sense, in Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "records.hpp"
#include "writing.hpp"

namespace nb = nanobind;
using namespace matscore;

namespace {

// Hand memory over to an array of items that are made of whole values of it.
template <typename Item, typename T>
nb::object make_array(Buffer<T>& buffer, std::vector<size_t> shape = {}) {
    if (shape.empty()) shape = {buffer.size()};
    auto* const held = new Buffer<T>(std::move(buffer));
    nb::capsule owner(held, [](void* memory) noexcept { delete static_cast<Buffer<T>*>(memory); });
    return nb::cast(nb::ndarray<nb::numpy, Item>(held->data(), shape.size(), shape.data(), owner));
}

nb::object make_flags(Flags& flags) { return flags.empty() ? nb::none() : make_array<bool>(flags); }

std::optional<double> bind_read_number(nb::bytes text, char mark) {
    const string_view core = strip({text.c_str(), text.size()});
    double value = 0;
    if (!read_whole(core, mark, value)) return std::nullopt;
    return value;
}

nb::bytes bind_write_number(double number) {
    char text[kLongestNumber];
    return nb::bytes(text, static_cast<size_t>(write_number(number, text) - text));
}

// A column's index and its levels.
using LevelColumns = std::vector<std::pair<size_t, const Levels*>>;
using Columns = std::vector<size_t>;
using BooleanColumns = std::vector<std::pair<size_t, Pair>>;
using Words = std::vector<std::string>;

nb::tuple bind_parse(nb::bytes data, char delimiter, char mark, size_t width, Columns features,
                     Columns texts, Columns kept, LevelColumns levels, std::pair<int, int> policies,
                     Words words, Words names, bool has_labels, BooleanColumns booleans) {
    for (const auto& [column, known] : levels)
        if (known == nullptr) throw nb::type_error("a column of levels has none");
    const auto missing = static_cast<Policy>(policies.first);
    const auto unknown = static_cast<Policy>(policies.second);
    const size_t n_values = features.size() + levels.size();
    const Layout layout{delimiter, mark, width, missing, unknown, std::move(features),
                        std::move(texts), std::move(kept), std::move(levels), std::move(words),
                        std::move(names), has_labels, std::move(booleans)};
    Table table;
    {
        const nb::gil_scoped_release unlocked;
        table = Parser(layout, data.c_str(), data.size()).parse();
    }
    nb::list columns;
    for (TextColumn& text : table.texts)
        columns.append(nb::make_tuple(make_array<uint64_t>(text.offsets),
                                      make_array<uint8_t>(text.bytes), make_flags(text.absent)));
    const size_t n_bad = table.bad.size();
    return nb::make_tuple(
        make_array<double>(table.values, {n_values, table.n_rows}), columns, table.n_records,
        n_bad == 0 ? nb::none() : make_array<int64_t>(table.rows), make_flags(table.has_missing),
        make_array<int64_t>(table.bad, {n_bad, sizeof(BadRecord) / sizeof(int64_t)}),
        nb::make_tuple(static_cast<int>(table.stop.fault), table.stop.at, table.stop.column));
}

size_t bind_find_cut(nb::bytes data, char delimiter, bool is_last) {
    const char* const p = data.c_str();
    const nb::gil_scoped_release unlocked;
    return static_cast<size_t>(find_cut(p, p + data.size(), delimiter, is_last) - p);
}

std::pair<size_t, size_t> bind_count_lines(nb::bytes data) {
    const char* const p = data.c_str();
    const nb::gil_scoped_release unlocked;
    const Scan scan = scan_text(p, p + data.size(), ',');
    return {scan.n_lines, scan.n_quoted};
}

// The memory of n numbers, which their array keeps alive. An array of another type is refused: a
// converted copy would not outlive this function.
template <typename T>
const T* take(nb::handle object, size_t n) {
    nb::ndarray<const T, nb::ndim<1>, nb::device::cpu> array;
    if (!nb::try_cast(object, array, false)) throw nb::type_error("a column of another type");
    if (array.shape(0) != n) throw nb::value_error("columns differ in length");
    if (n > 1 && array.stride(0) != 1) throw nb::value_error("a column is not contiguous");
    return n > 0 ? array.data() : nullptr;
}

TextsView take_texts(nb::handle offsets, nb::handle bytes, nb::handle absent, size_t n) {
    const size_t n_bytes = nb::len(bytes);
    if (n + 1 == 0) throw nb::value_error("texts have one offset more than there are texts");
    const auto* const data = reinterpret_cast<const char*>(take<uint8_t>(bytes, n_bytes));
    const TextsView view{take<uint64_t>(offsets, n + 1), data,
                         absent.is_none() ? nullptr : take<bool>(absent, n)};
    if (!std::is_sorted(view.offsets, view.offsets + n + 1) || view.offsets[n] > n_bytes)
        throw nb::value_error("offsets of texts are out of order or out of range");
    return view;
}

nb::object bind_find_levels(const Levels& levels, nb::object offsets, nb::object bytes, Words words,
                            char mark) {
    const size_t n = nb::len(offsets) - 1;
    const TextsView texts = take_texts(offsets, bytes, nb::none(), n);
    const MissingWords missing(std::move(words), mark);
    Buffer<double> codes(n);
    {
        const nb::gil_scoped_release unlocked;
        for (size_t i = 0; i < n; ++i) codes[i] = levels.find(texts[i], missing, mark);
    }
    return make_array<double>(codes);
}

// Count texts, each `counts` times or once; returns how many are missing.
size_t bind_count(TextCounts& self, nb::object offsets, nb::object bytes, Words words,
                  char mark, nb::object counts) {
    const size_t n = nb::len(offsets) - 1;
    const TextsView texts = take_texts(offsets, bytes, nb::none(), n);
    const int64_t* const times = counts.is_none() ? nullptr : take<int64_t>(counts, n);
    const MissingWords missing(std::move(words), mark);
    size_t n_missing = 0;
    for (size_t i = 0; i < n; ++i) {
        if (missing.has(strip(texts[i]))) ++n_missing;
        else self.add(texts[i], times == nullptr ? 1 : times[i]);
    }
    return n_missing;
}

nb::tuple bind_counted(const TextCounts& self) {
    Buffer<uint64_t> offsets = self.texts().offsets();
    Buffer<char> bytes = self.texts().bytes();
    Buffer<int64_t> counts = self.counts();
    return nb::make_tuple(make_array<uint64_t>(offsets), make_array<uint8_t>(bytes),
                          make_array<int64_t>(counts));
}

// (numbers, absent), or (offsets, bytes, absent, codes, is_nullable)
size_t count_rows(const nb::tuple& parts) {
    const bool is_text = parts.size() == 5;
    if (is_text && !parts[3].is_none()) return nb::len(nb::handle(parts[3]));
    return nb::len(nb::handle(parts[0])) - (is_text ? 1 : 0);
}

OutputColumn take_column(const nb::tuple& parts, size_t n_rows) {
    OutputColumn column;
    if (parts.size() == 2) {
        const bool is_float = nb::isinstance<nb::ndarray<const double>>(parts[0]);
        if (is_float) column.numbers = take<double>(parts[0], n_rows);
        else column.wholes = take<int64_t>(parts[0], n_rows);
        if (!parts[1].is_none()) column.absent = take<bool>(parts[1], n_rows);
        return column;
    }
    const size_t n_texts = parts[3].is_none() ? n_rows : nb::len(nb::handle(parts[0])) - 1;
    column.texts = take_texts(parts[0], parts[1], parts[2], n_texts);
    column.is_nullable = nb::cast<bool>(parts[4]);
    if (parts[3].is_none()) return column;
    column.codes = take<int32_t>(parts[3], n_rows);
    for (size_t i = 0; i < n_rows; ++i)
        if (column.codes[i] >= 0 && static_cast<size_t>(column.codes[i]) >= n_texts)
            throw nb::value_error("a code is out of range");
    return column;
}

nb::bytearray bind_write_rows(bool is_json, char delimiter, std::string row_end, int precision,
                              bool excel_safe, Words keys, std::vector<nb::tuple> columns) {
    const size_t n_rows = columns.empty() ? 0 : count_rows(columns[0]);
    std::vector<OutputColumn> taken;
    for (size_t i = 0; i < columns.size(); ++i) {
        taken.push_back(take_column(columns[i], n_rows));
        taken.back().key = keys.at(i);
    }
    const Writer writer({is_json, delimiter, row_end, precision, excel_safe}, std::move(taken),
                        n_rows);
    nb::bytearray written;  // no bytes: the stable ABI cannot cut them to size
    const nb::gil_scoped_release unlocked;
    writer.write([&written](size_t size) {
        const nb::gil_scoped_acquire locked;
        written.resize(size);
        return static_cast<char*>(written.data());
    });
    return written;
}

}  // namespace

void bind_text(nb::module_& m) {
    nb::class_<Levels>(m, "Levels")
        .def(nb::init<Words, bool, bool, bool>())
        .def("find", bind_find_levels);
    nb::class_<TextCounts>(m, "TextCounts")
        .def(nb::init<>())
        .def("__len__", [](const TextCounts& self) { return self.counts().size(); })
        .def("add", bind_count, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none())
        .def("counted", bind_counted);
    m.def("read_number", bind_read_number);
    m.def("write_number", bind_write_number);
    m.def("parse", bind_parse);
    m.def("find_cut", bind_find_cut);
    m.def("count_lines", bind_count_lines);
    m.def("write_rows", bind_write_rows);
}
