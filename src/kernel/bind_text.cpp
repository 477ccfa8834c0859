#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "numbers.hpp"
#include "shortest.hpp"

namespace nb = nanobind;
using namespace matscore;

static std::optional<double> bind_read_number(nb::bytes text, char mark) {
    const char* p = text.c_str();
    const char* end = p + text.size();
    while (p != end && is_blank(*p)) ++p;
    while (end != p && is_blank(end[-1])) --end;
    double value = 0;
    if (read_number(p, end, mark, value) != end) return std::nullopt;
    return value;
}

static nb::bytes bind_write_number(double number) {
    char text[kLongestNumber];
    return nb::bytes(text, static_cast<std::size_t>(write_number(number, text) - text));
}

void bind_text(nb::module_& m) {
    m.def("read_number", bind_read_number, nb::arg("text"), nb::arg("decimal") = '.');
    m.def("write_number", bind_write_number, nb::arg("number"));
}
