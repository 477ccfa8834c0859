// Python's view of numbers, records, cutting and writing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "cutting.hpp"
#include "numbers.hpp"
#include "records.hpp"
#include "shortest.hpp"

namespace nb = nanobind;
using namespace matscore;

namespace {

// Hand memory over to an array.
template <typename T>
nb::object make_array(Buffer<T>& buffer, std::vector<std::size_t> shape) {
    T* data = buffer.release();
    nb::capsule owner(data, [](void* memory) noexcept { std::free(memory); });
    return nb::cast(nb::ndarray<nb::numpy, T>(data, shape.size(), shape.data(), owner));
}

template <typename T>
nb::object make_array(Buffer<T>& buffer) {
    const std::size_t n = buffer.size();
    return make_array(buffer, {n});
}

template <typename T>
nb::object make_array_or_none(Buffer<T>& buffer) {
    return buffer.size() > 0 ? make_array(buffer) : nb::none();
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
    return nb::bytes(text, static_cast<std::size_t>(write_number(number, text) - text));
}

void check_columns(const std::vector<std::size_t>& columns, std::size_t width) {
    std::vector<bool> is_taken(width);
    for (const std::size_t column : columns) {
        if (column >= width || is_taken[column]) throw nb::value_error("columns are out of range");
        is_taken[column] = true;
    }
}

nb::tuple bind_parse(nb::bytes data, char delimiter, char mark, std::size_t width,
                     std::vector<std::size_t> features, std::vector<std::size_t> texts,
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
    Table table;
    {
        nb::gil_scoped_release release;
        table = Parser(layout, data.c_str(), data.size()).parse();
    }
    nb::list text_columns;
    for (TextColumn& text : table.texts) {
        text_columns.append(nb::make_tuple(make_array(text.offsets), make_array(text.bytes),
                                           make_array_or_none(text.absent)));
    }
    Buffer<std::int64_t> bad(table.bad.size() * 7);
    for (const BadRecord& record : table.bad) {
        for (const std::int64_t value : {record.record, record.line, record.start, record.end,
                                         record.column, record.fault, record.n_cells}) {
            bad.push(value);
        }
    }
    return nb::make_tuple(
        make_array(table.values, {layout.features.size(), table.n_rows}), text_columns,
        table.n_records, table.bad.empty() ? nb::none() : make_array(table.rows),
        make_array_or_none(table.has_missing), make_array(bad, {table.bad.size(), 7}),
        nb::make_tuple(static_cast<int>(table.stop.fault), table.stop.at, table.stop.column));
}

std::size_t bind_find_cut(nb::bytes data, char delimiter, bool is_last) {
    const char* p = data.c_str();
    nb::gil_scoped_release release;
    return static_cast<std::size_t>(find_cut(p, p + data.size(), delimiter, is_last) - p);
}

nb::tuple bind_count_lines(nb::bytes data) {
    Counts counts{};
    {
        nb::gil_scoped_release release;
        counts = count_lines(data.c_str(), data.c_str() + data.size());
    }
    return nb::make_tuple(counts.n_lines, counts.n_quoted);
}

}  // namespace

void bind_text(nb::module_& m) {
    m.def("read_number", bind_read_number, nb::arg("text"), nb::arg("decimal"));
    m.def("write_number", bind_write_number, nb::arg("number"));
    m.def("parse", bind_parse, nb::arg("data"), nb::arg("delimiter"), nb::arg("decimal"),
          nb::arg("width"), nb::arg("features"), nb::arg("texts"), nb::arg("missing"),
          nb::arg("missing_values"), nb::arg("names"), nb::arg("has_labels"));
    m.def("find_cut", bind_find_cut, nb::arg("data"), nb::arg("delimiter"), nb::arg("is_last"));
    m.def("count_lines", bind_count_lines, nb::arg("data"));
}
