// The extension module: what Python sees is bound in bind_*.cpp, a file for each half.
#include <nanobind/nanobind.h>

void bind_text(nanobind::module_& m);
#if __has_include("bind_arithmetic.cpp")
void bind_arithmetic(nanobind::module_& m);
#endif

NB_MODULE(_kernel, m) {
    m.doc() = "The compiled kernel of matscore; matscore.kernel is what the program imports.";
    bind_text(m);
#if __has_include("bind_arithmetic.cpp")
    bind_arithmetic(m);
#endif
}
