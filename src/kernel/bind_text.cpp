#include <nanobind/nanobind.h>
void bind_text(nanobind::module_& m) { m.def("parse_number", [](double x) { return x; }); }
