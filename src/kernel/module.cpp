// The extension module: what Python sees is bound in bind_*.cpp, a file for each half.
#include <nanobind/nanobind.h>

void bind_text(nanobind::module_& m);
void bind_arithmetic(nanobind::module_& m);

NB_MODULE(_kernel, m) {
    m.doc() = "The compiled kernel of matscore; matscore.kernel is what the program imports.";
    nanobind::set_leak_warnings(false);  // what lives until the process ends is no fault
    bind_text(m);
    bind_arithmetic(m);
}
