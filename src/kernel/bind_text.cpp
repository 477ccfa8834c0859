// Python's view of numbers, records, cutting and writing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "records.hpp"
#include "writing.hpp"

namespace nb = nanobind;
using namespace matscore;

namespace {

// Hand memory over to an array of items that are made of whole values of it.
template <typename Item, typename T>
nb::object make_array(Buffer<T>& buffer, std::vector<size_t> shape) {
    auto* const held = new Buffer<T>(std::move(buffer));
    nb::capsule owner(held, [](void* memory) noexcept { delete static_cast<Buffer<T>*>(memory); });
    return nb::cast(nb::ndarray<nb::numpy, Item>(held->data(), shape.size(), shape.data(), owner));
}

template <typename Item, typename T>
nb::object make_array(Buffer<T>& buffer) {
    const size_t n = buffer.size();
    return make_array<Item>(buffer, {n});
}

nb::object make_flags(Flags& flags) { return flags.empty() ? nb::none() : make_array<bool>(flags); }

template <typename Work>
auto without_lock(const Work& work) {
    nb::gil_scoped_release release;
    return work();
}

std::optional<double> bind_read_number(nb::bytes text, char mark) {
    const char* p = text.c_str();
    const char* end = p + text.size();
    while (p != end && is_blank(*p)) ++p;
    while (end != p && is_blank(end[-1])) --end;
    double value = 0;
    if (read_number(p, end, mark, value) != end) return std::nullopt;
    return value;
}

nb::bytes bind_write_number(double number) {
    char text[kLongestNumber];
    return nb::bytes(text, static_cast<size_t>(write_number(number, text) - text));
}

void check_columns(const std::vector<size_t>& columns, size_t width) {
    std::vector<bool> is_taken(width);
    for (const size_t column : columns) {
        if (column >= width || is_taken[column]) throw nb::value_error("columns are out of range");
        is_taken[column] = true;
    }
}

nb::tuple bind_parse(nb::bytes data, char delimiter, char mark, size_t width,
                     std::vector<size_t> features, std::vector<size_t> texts,
                     int missing, std::vector<std::string> words, std::vector<std::string> names,
                     bool has_labels) {
    if (width == 0) throw nb::value_error("the width is zero");
    if (delimiter == '\0' || delimiter == '"' || delimiter == '\n' || delimiter == '\r') {
        throw nb::value_error("this character cannot be the delimiter");
    }
    if (!names.empty() && names.size() != width) throw nb::value_error("names are not the width");
    check_columns(features, width);
    check_columns(texts, width);
    const Layout layout{delimiter,        mark,  width,           static_cast<Missing>(missing),
                        std::move(features), std::move(texts), std::move(words),
                        std::move(names), has_labels};
    Parser parser(layout, data.c_str(), data.size());
    Table table = without_lock([&] { return parser.parse(); });
    nb::list text_columns;
    for (TextColumn& text : table.texts) {
        text_columns.append(nb::make_tuple(make_array<uint64_t>(text.offsets),
                                           make_array<uint8_t>(text.bytes),
                                           make_flags(text.absent)));
    }
    const size_t n_bad = table.bad.size();
    return nb::make_tuple(
        make_array<double>(table.values, {layout.features.size(), table.n_rows}), text_columns,
        table.n_records, n_bad == 0 ? nb::none() : make_array<int64_t>(table.rows),
        make_flags(table.has_missing),
        make_array<int64_t>(table.bad, {n_bad, sizeof(BadRecord) / sizeof(int64_t)}),
        nb::make_tuple(static_cast<int>(table.stop.fault), table.stop.at, table.stop.column));
}

size_t bind_find_cut(nb::bytes data, char delimiter, bool is_last) {
    const char* const p = data.c_str();
    const char* const end = p + data.size();
    const char* cut = without_lock([&] { return find_cut(p, end, delimiter, is_last); });
    return static_cast<size_t>(cut - p);
}

nb::tuple bind_count_lines(nb::bytes data) {
    const char* const p = data.c_str();
    const char* const end = p + data.size();
    const Scan scan = without_lock([&] { return scan_text(p, end, ','); });
    return nb::make_tuple(scan.n_lines, scan.n_quoted);
}

template <typename T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::device::cpu>;

// A column's memory, which its array keeps alive; `n` is its length, and must be that of all. An
// array of another type is refused: a converted copy would not outlive this function.
template <typename T>
const T* take(nb::handle object, size_t& n, ptrdiff_t* stride = nullptr) {
    Vector<T> array;
    if (!nb::try_cast(object, array, false)) throw nb::type_error("a column of another type");
    if (n != static_cast<size_t>(-1) && array.shape(0) != n) {
        throw nb::value_error("columns differ in length");
    }
    n = array.shape(0);
    if (stride != nullptr) {
        *stride = array.stride(0);
    } else if (n > 1 && array.stride(0) != 1) {
        throw nb::value_error("a column is not contiguous");
    }
    return array.data();
}

TextsView take_texts(nb::handle offsets, nb::handle bytes, nb::handle absent, size_t& n) {
    size_t n_offsets = n == static_cast<size_t>(-1) ? n : n + 1;
    size_t n_bytes = static_cast<size_t>(-1);
    TextsView view;
    view.offsets = take<uint64_t>(offsets, n_offsets);
    view.bytes = reinterpret_cast<const char*>(take<uint8_t>(bytes, n_bytes));
    if (n_offsets == 0) throw nb::value_error("texts have one offset more than there are texts");
    n = n_offsets - 1;
    uint64_t before = 0;
    for (size_t i = 0; i < n_offsets; ++i) {
        if (view.offsets[i] < before || view.offsets[i] > n_bytes) {
            throw nb::value_error("offsets of texts are out of order or out of range");
        }
        before = view.offsets[i];
    }
    if (!absent.is_none()) view.absent = take<bool>(absent, n);
    return view;
}

// (numbers, absent), or (offsets, bytes, absent, codes, is_nullable)
OutputColumn take_column(nb::handle object, size_t& n_rows) {
    const auto parts = nb::cast<nb::tuple>(object);
    OutputColumn column;
    if (parts.size() == 2) {
        Vector<double> numbers;
        if (nb::try_cast(parts[0], numbers, false)) {
            column.numbers = take<double>(parts[0], n_rows, &column.stride);
        } else {
            column.wholes = take<int64_t>(parts[0], n_rows);
        }
        if (!parts[1].is_none()) column.absent = take<bool>(parts[1], n_rows);
        return column;
    }
    column.is_nullable = nb::cast<bool>(parts[4]);
    if (parts[3].is_none()) {
        column.texts = take_texts(parts[0], parts[1], parts[2], n_rows);
        return column;
    }
    size_t n_texts = static_cast<size_t>(-1);
    column.texts = take_texts(parts[0], parts[1], parts[2], n_texts);
    column.codes = take<int32_t>(parts[3], n_rows);
    for (size_t i = 0; i < n_rows; ++i) {
        if (column.codes[i] >= 0 && static_cast<size_t>(column.codes[i]) >= n_texts) {
            throw nb::value_error("a code is out of range");
        }
    }
    return column;
}

nb::bytearray bind_write_rows(int format, int precision, bool excel_safe,
                          std::vector<std::string> names, nb::list columns) {
    if (names.size() != columns.size()) throw nb::value_error("names are not as many as columns");
    if (precision > 22) throw nb::value_error("too many decimals");
    size_t n_rows = static_cast<size_t>(-1);
    std::vector<OutputColumn> taken;
    for (size_t i = 0; i < columns.size(); ++i) {
        taken.push_back(take_column(columns[i], n_rows));
        taken.back().key = names[i];
    }
    if (columns.size() == 0) n_rows = 0;
    const Writer writer({static_cast<Format>(format), precision, excel_safe}, std::move(taken), n_rows);
    nb::bytearray written;  // no bytes: the stable ABI cannot cut them to size
    without_lock([&] {
        writer.write([&written](size_t size) {
            const nb::gil_scoped_acquire lock;
            written.resize(size);
            return static_cast<char*>(written.data());
        });
    });
    return written;
}

}  // namespace

void bind_text(nb::module_& m) {
    m.def("read_number", bind_read_number, nb::arg("text"), nb::arg("decimal"));
    m.def("write_number", bind_write_number, nb::arg("number"));
    m.def("parse", bind_parse, nb::arg("data"), nb::arg("delimiter"), nb::arg("decimal"),
          nb::arg("width"), nb::arg("features"), nb::arg("texts"), nb::arg("missing"),
          nb::arg("missing_values"), nb::arg("names"), nb::arg("has_labels"));
    m.def("find_cut", bind_find_cut, nb::arg("data"), nb::arg("delimiter"), nb::arg("is_last"));
    m.def("write_rows", bind_write_rows, nb::arg("format"), nb::arg("precision"),
          nb::arg("excel_safe"), nb::arg("names"), nb::arg("columns"));
    m.def("count_lines", bind_count_lines, nb::arg("data"));
}
