// The extension module. Arrays that come in are looked at where they are, those that go out own
// their memory. The kernel checks what memory depends on, matscore/kernel.py the rest.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "records.hpp"
#include "top.hpp"
#include "writing.hpp"

namespace nanobind::detail {

template <class T, size_t N>
using In = ndarray<const T, ndim<N>, c_contig, device::cpu>;

// An array of just that type, as nothing would keep what is converted; None has no items.
template <class T>
struct type_caster<std::span<const T>> {
    NB_TYPE_CASTER(std::span<const T>, const_name("numpy.ndarray"))
    bool from_python(handle from, uint32_t flags, cleanup_list* cleanup) noexcept {
        value = {};
        make_caster<In<T, 1>> array;
        if (from.is_none()) return true;
        if (!array.from_python(from, flags & ~uint32_t{cast_flags::convert}, cleanup)) return false;
        value = {array.value.data(), array.value.size()};
        return true;
    }
};

template <>
struct type_caster<matscore::Matrix> {
    NB_TYPE_CASTER(matscore::Matrix, const_name("numpy.ndarray"))
    bool from_python(handle from, uint32_t flags, cleanup_list* cleanup) noexcept {
        if (!held.from_python(from, flags, cleanup)) return false;
        value = {held.value.data(), held.value.shape(0), held.value.shape(1)};
        return true;
    }
    make_caster<In<double, 2>> held;
};

// Hands memory over: of bytes, marks (uint8_t), numbers, or records of whole numbers.
template <class T>
struct type_caster<matscore::Buffer<T>> {
    NB_TYPE_CASTER(matscore::Buffer<T>, const_name("numpy.ndarray"))
    using Number = std::conditional_t<std::is_class_v<T>, int64_t, T>;
    using Item = std::conditional_t<std::is_same_v<T, char>, uint8_t,
                                    std::conditional_t<std::is_same_v<T, uint8_t>, bool, Number>>;
    static handle from_cpp(matscore::Buffer<T>&& from, rv_policy policy, cleanup_list* cleanup) {
        const size_t n = from.size() * (sizeof(T) / sizeof(Item));
        auto* const kept = new Value(std::move(from));
        const capsule owner(kept, [](void* p) noexcept { delete static_cast<Value*>(p); });
        return make_caster<ndarray<numpy, Item>>::from_cpp({kept->data(), {n}, owner}, policy,
                                                           cleanup);
    }
};

}  // namespace nanobind::detail

namespace matscore {
namespace {

namespace nb = nanobind;
using namespace nb::literals;
using std::optional, std::pair, std::span, std::string, std::tuple, std::vector;
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

optional<double> bind_read_number(const nb::bytes& text, char mark) {
    double value = 0;
    if (!read_whole(strip({text.c_str(), text.size()}), mark, value)) return {};
    return value;
}

nb::bytes bind_write_number(double number) {
    char text[kLongestNumber];
    return nb::bytes(text, static_cast<size_t>(write_number(number, text) - text));
}

auto bind_parse(const nb::bytes& data, char delimiter, char mark, size_t width, int missing,
                int unknown, vector<size_t> features, vector<size_t> texts, vector<size_t> kept,
                vector<pair<size_t, const Levels*>> levels, vector<string> words,
                vector<string> names, bool has_labels, vector<pair<size_t, Pair>> booleans) {
    for (const auto& [column, known] : levels) expect(known != nullptr, "levels are None");
    const Layout layout{delimiter, mark, width, missing, unknown, std::move(features),
                        std::move(texts), std::move(kept), std::move(levels), std::move(words),
                        std::move(names), has_labels, std::move(booleans)};
    Table table = Parser(layout, data.c_str(), data.size()).parse();
    vector<tuple<Buffer<uint64_t>, Buffer<char>, Buffer<uint8_t>>> columns;
    for (TextColumn& text : table.texts)
        columns.emplace_back(std::move(text.offsets), std::move(text.bytes),
                             std::move(text.absent));
    return tuple(table.n_rows, table.n_records, std::move(table.values), std::move(columns),
                 std::move(table.has_missing), std::move(table.bad));
}

auto bind_scan(const nb::bytes& data, char delimiter) {
    const char* const p = data.c_str();
    const Scan scan = scan_text(p, p + data.size(), delimiter);
    const auto misplaced = scan.misplaced != nullptr ? scan.misplaced - p : -1;
    return tuple(scan.n_lines, scan.n_quoted, scan.after_newline - p, misplaced, scan.is_closing,
                 scan.is_open);
}

// The parts of an OutputColumn, texts by their offsets and bytes.
using Parts = tuple<string, span<const double>, span<const int64_t>,
                    optional<pair<span<const uint64_t>, span<const uint8_t>>>, span<const int32_t>,
                    span<const bool>, bool>;

nb::bytearray bind_write_rows(bool is_json, char delimiter, string row_end, vector<Parts> parts,
                              size_t n_rows) {
    vector<OutputColumn> columns;
    for (auto& [key, numbers, wholes, texts, codes, absent, is_nullable] : parts) {
        columns.push_back({std::move(key), numbers, wholes, {}, codes, absent, is_nullable});
        if (texts) columns.back().texts.emplace(texts->first, texts->second);
    }
    const Writer writer({is_json, delimiter, std::move(row_end)}, std::move(columns), n_rows);
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
}  // namespace matscore

NB_MODULE(_kernel, m) {
    using namespace matscore;
    m.doc() = "The compiled kernel of matscore; matscore.kernel is what the program imports.";
    nb::set_leak_warnings(false);  // what lives until the process ends is no fault
    m.def("read_number", bind_read_number);
    m.def("write_number", bind_write_number);
    m.def("parse", bind_parse, Unlocked());
    m.def("scan", bind_scan, Unlocked());
    m.def("write_rows", bind_write_rows);
    nb::class_<TextTable>(m, "TextTable")
        .def(nb::init<>())
        .def("number", [](TextTable& table, span<const uint64_t> offsets,
                          span<const uint8_t> bytes, vector<string> words, char mark) {
            return number_texts(table, {offsets, bytes}, {std::move(words), mark});
        }, Unlocked())
        .def("texts", &TextTable::texts);
    nb::class_<Levels>(m, "Levels")
        .def(nb::init<vector<string>, bool, bool, bool>())
        .def("find", [](const Levels& levels, span<const uint64_t> offsets,
                        span<const uint8_t> bytes, vector<string> words, char mark) {
            return levels.find_all({offsets, bytes}, {std::move(words), mark}, mark);
        }, Unlocked());
    m.def("exp", find_powers, Unlocked());
    m.def("norms", find_norms, Unlocked());
    m.def("rounding_unit", rounding_unit);
    m.def("use", choose);
    m.def("instruction_sets", [] {
        return vector<string>(instruction_sets + best_set, std::end(instruction_sets));
    });
    nb::class_<Model>(m, "Model")
        .def(nb::init<Matrix, span<const double>, size_t, const vector<Gather>&>())
        .def("score", [](const Model& model, Matrix features, bool keep) {
            Scored to = model.score(features, keep);
            return tuple(std::move(to.scores), std::move(to.best), std::move(to.margin),
                         std::move(to.tied), std::move(to.overflow));
        }, Unlocked())
        .def("rank", &Model::rank, Unlocked())
        .def("error_bound", &Model::bound_scores, Unlocked());
    nb::class_<Search>(m, "Search")
        .def(nb::init<Matrix, optional<span<const double>>, size_t, double, size_t, int64_t, double,
                      span<const int64_t>>())
        .def("add", &Search::add, Unlocked())
        .def("take", &Search::take);
}
