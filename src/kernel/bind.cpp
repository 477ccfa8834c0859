// The extension module. What memory depends on is checked here, the rest in matscore/kernel.py; the
// interpreter's lock is released while much is computed.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "exp.hpp"
#include "records.hpp"
#include "top.hpp"
#include "writing.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace matscore {
namespace {

using std::optional, std::pair, std::string, std::tuple, std::vector;
template <class T, size_t N = 1>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;
using Unlocked = nb::gil_scoped_release;

Matrix view(const In<double, 2>& table) {
    return {table.data(), table.shape(0), table.shape(1)};
}

void expect(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

template <class T>
const T* view(const optional<In<T>>& array, size_t n,
              const char* what = "the arrays differ in length") {
    expect(!array || array->size() == n, what);
    return array ? array->data() : nullptr;
}

// Hands memory over to an array of items that are made of whole values of it.
template <class Item, class Values>
Out<Item> give(Values&& values, vector<size_t> shape = {}) {
    if (shape.empty()) shape = {values.size()};
    auto* const held = new auto(std::move(values));
    const nb::capsule owner(held, [](void* p) noexcept { delete static_cast<Values*>(p); });
    return {held->data(), shape.size(), shape.data(), owner};
}

// An array for results: not set to zero, as all of it is written.
template <class T>
Out<T> make(const vector<size_t>& shape) {
    size_t n = 1;
    for (const size_t size : shape) n *= size;
    return give<T>(Buffer<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>>(n), shape);
}

// Text.

optional<double> bind_read_number(nb::bytes text, char mark) {
    const string_view core = strip({text.c_str(), text.size()});
    double value = 0;
    if (!read_whole(core, mark, value)) return {};
    return value;
}

nb::bytes bind_write_number(double number) {
    char text[kLongestNumber];
    return nb::bytes(text, static_cast<size_t>(write_number(number, text) - text));
}

nb::tuple bind_parse(nb::bytes data, char delimiter, char mark, size_t width,
                     vector<size_t> features, vector<size_t> texts, vector<size_t> kept,
                     vector<pair<size_t, const Levels*>> levels, pair<int, int> policies,
                     vector<string> words, vector<string> names, bool has_labels,
                     vector<pair<size_t, Pair>> booleans) {
    for (const auto& [column, known] : levels) expect(known != nullptr, "levels are None");
    const auto missing = static_cast<Policy>(policies.first);
    const auto unknown = static_cast<Policy>(policies.second);
    const size_t n_values = features.size() + levels.size();
    const Layout layout{delimiter, mark, width, missing, unknown, std::move(features),
                        std::move(texts), std::move(kept), std::move(levels), std::move(words),
                        std::move(names), has_labels, std::move(booleans)};
    Table table;
    {
        const Unlocked unlocked;
        table = Parser(layout, data.c_str(), data.size()).parse();
    }
    nb::list columns;
    for (TextColumn& text : table.texts)
        columns.append(nb::make_tuple(give<uint64_t>(std::move(text.offsets)),
                                      give<uint8_t>(std::move(text.bytes)),
                                      give<bool>(std::move(text.absent))));
    const size_t n_bad = table.bad.size();
    return nb::make_tuple(
        give<double>(std::move(table.values), {n_values, table.n_rows}), columns, table.n_records,
        give<bool>(std::move(table.has_missing)),
        give<int64_t>(std::move(table.bad), {n_bad, sizeof(BadRecord) / sizeof(int64_t)}));
}

auto bind_scan(nb::bytes data, char delimiter) {
    const char* const p = data.c_str();
    const Unlocked unlocked;
    const Scan scan = scan_text(p, p + data.size(), delimiter);
    const auto misplaced = scan.misplaced != nullptr ? scan.misplaced - p : -1;
    return tuple(scan.n_lines, scan.n_quoted, scan.after_newline - p, misplaced, scan.is_closing,
                 scan.is_open);
}

TextsView take_texts(const In<uint64_t>& offsets, const In<uint8_t>& bytes) {
    const uint64_t* const p = offsets.data();
    expect(offsets.size() > 0 && std::is_sorted(p, p + offsets.size()) &&
               p[offsets.size() - 1] <= bytes.size(),
           "offsets of texts are out of order or out of range");
    return {p, reinterpret_cast<const char*>(bytes.data())};
}

// The codes of texts; new ones are added to levels that grow.
template <class AnyLevels>
Out<double> bind_find_levels(AnyLevels& levels, In<uint64_t> offsets, In<uint8_t> bytes,
                             vector<string> words, char mark) {
    const TextsView texts = take_texts(offsets, bytes);
    const MissingWords missing(std::move(words), mark);
    Buffer<double> codes(offsets.size() - 1);
    {
        const Unlocked unlocked;
        for (size_t i = 0; i < codes.size(); ++i) codes[i] = levels.find(texts[i], missing, mark);
    }
    return give<double>(std::move(codes));
}

// Numbers, whole numbers; offsets, bytes and codes of texts; what is absent; whether it is null.
using Column = tuple<optional<In<double>>, optional<In<int64_t>>, optional<In<uint64_t>>,
                     optional<In<uint8_t>>, optional<In<int32_t>>, optional<In<bool>>, bool>;

OutputColumn take_column(const Column& parts, string key, size_t n_rows) {
    const auto& [numbers, wholes, offsets, bytes, codes, absent, is_nullable] = parts;
    OutputColumn column;
    column.key = std::move(key), column.is_nullable = is_nullable;
    column.numbers = view(numbers, n_rows), column.wholes = view(wholes, n_rows);
    if (!offsets) {
        expect(numbers || wholes, "a column is of another type");
        column.absent = view(absent, n_rows);
        return column;
    }
    expect(bytes.has_value(), "texts without bytes");
    column.texts = take_texts(*offsets, *bytes);
    const size_t n_texts = offsets->size() - 1;
    column.texts.absent = view(absent, n_texts);
    column.codes = view(codes, n_rows);
    expect(codes || n_texts == n_rows, "the arrays differ in length");
    for (size_t i = 0; codes && i < n_rows; ++i)
        expect(column.codes[i] < static_cast<int64_t>(n_texts), "a code is out of range");
    return column;
}

nb::bytearray bind_write_rows(bool is_json, char delimiter, string row_end, vector<string> keys,
                              vector<Column> columns, size_t n_rows) {
    vector<OutputColumn> taken;
    for (size_t i = 0; i < columns.size(); ++i)
        taken.push_back(take_column(columns[i], keys.at(i), n_rows));
    const Writer writer({is_json, delimiter, row_end}, std::move(taken), n_rows);
    nb::bytearray written;  // no bytes: the stable ABI cannot cut them to size
    const Unlocked unlocked;
    writer.write([&written](size_t size) {
        const nb::gil_scoped_acquire locked;
        written.resize(size);
        return static_cast<char*>(written.data());
    });
    return written;
}

// Arithmetic.

// (dense, groups, n_stored), with groups of (codes, values, terms): see matscore.kernel.Gathers.
using Parts = tuple<In<int64_t, 2>, vector<tuple<int64_t, int64_t, In<int64_t>>>, int64_t>;

void make_model(Model* self, In<double, 2> weights, optional<In<double>> intercept,
                optional<Parts> parts) {
    optional<Gathers> gathers;
    const auto within = [](int64_t number, auto end) {
        expect(number >= 0 && number < static_cast<int64_t>(end), "a term or row is out of range");
        return static_cast<size_t>(number);
    };
    if (parts) {
        const auto& [pairs, groups, n_stored] = *parts;
        const size_t n_terms = weights.shape(0);
        vector<pair<size_t, size_t>> dense;
        for (size_t i = 0; i < pairs.shape(0); ++i)
            dense.emplace_back(within(pairs(i, 1), n_terms), within(pairs(i, 0), n_stored));
        vector<Gather> taken;
        for (const auto& [codes, values, terms] : groups) {
            Gather& group = taken.emplace_back(within(codes, n_stored));
            if (values != -1) group.values = within(values, n_stored);
            for (size_t i = 0; i < terms.size(); ++i)
                group.terms.push_back(terms(i) == -1 ? Gather::none : within(terms(i), n_terms));
        }
        gathers.emplace(static_cast<size_t>(n_stored), n_terms, dense, std::move(taken));
    }
    const double* const added = view(intercept, weights.shape(1),
                                     "the intercept is not one number a category");
    new (self) Model(view(weights), added, std::move(gathers));
}

// The features of rows to score; their scores, which are checked where there are some.
Matrix take_rows(const Model& model, const In<double, 2>& features) {
    expect(features.shape(0) == model.n_stored(),
           "features and weights differ in the number of features");
    return view(features);
}

auto score_rows(const Model& model, In<double, 2> features, bool keep) {
    const Matrix rows = take_rows(model, features);
    const size_t n = rows.n_columns;
    const auto scores = make<double>({keep ? model.n_categories() : 0, n});
    const auto margin = make<double>({n});
    const auto best = make<int64_t>({n});
    const auto tied = make<bool>({n}), overflow = make<bool>({n});
    const Unlocked unlocked;
    model.score(rows, keep ? scores.data() : nullptr,
                {best.data(), margin.data(), tied.data(), overflow.data()});
    return tuple(scores, best, margin, tied, overflow);
}

Out<double> bound_scores(const Model& model, In<double, 2> features) {
    const Matrix rows = take_rows(model, features);
    const auto bounds = make<double>({model.n_categories(), rows.n_columns});
    for (size_t row = 0; row < rows.n_columns; ++row) {
        double* to = bounds.data() + row;
        for (const double bound : model.bound_scores(rows, row)) *to = bound, to += rows.n_columns;
    }
    return bounds;
}

auto rank_scores(const Model& model, In<double, 2> features, In<double, 2> scores, size_t k) {
    const Matrix rows = take_rows(model, features);
    const size_t n = rows.n_columns;
    expect(scores.shape(0) == model.n_categories() && scores.shape(1) == n,
           "the scores are not one a category and row");
    k = std::min(k, model.n_categories());
    const auto places = make<int64_t>({n, k});
    const auto tied = make<bool>({n, k});
    const Unlocked unlocked;
    for (size_t row = 0; row < n; ++row) {
        const auto& left = model.rank_row(rows, row, {scores.data() + row, n}, k);
        for (size_t i = 0; i < k; ++i) {
            places.data()[row * k + i] = i < left.size() ? left[i].place : -1;
            tied.data()[row * k + i] = i < left.size() && left[i].tied;
        }
    }
    return tuple(places, tied);
}

Out<double> take_powers(In<double, 2> values) {
    const auto powers = make<double>({values.shape(0), values.shape(1)});
    exp_numbers(values.data(), values.size(), powers.data());
    return powers;
}

Out<double> take_norms(In<double, 2> rows) {
    const auto norms = make<double>({rows.shape(0)});
    for (size_t i = 0; i < rows.shape(0); ++i)
        norms.data()[i] = find_norm(view(rows).row(i), rows.shape(1));
    return norms;
}

void make_search(Search* self, In<double, 2> users, optional<In<double>> norms, size_t k,
                 double least, size_t most_pairs, int64_t n_items, double largest,
                 In<int64_t> excluded) {
    new (self) Search(view(users), view(norms, users.shape(1)),
                      {k, least, most_pairs, n_items, largest,
                       {excluded.data(), excluded.data() + excluded.size()}});
}

bool add_items(Search& search, In<double, 2> rows, optional<In<double>> norms, int64_t first,
               optional<In<int64_t>> order, optional<In<int64_t>> starts) {
    const size_t n = rows.shape(0);
    expect(rows.shape(1) == search.n_features() && norms.has_value() == search.is_cosine(),
           "users and items differ in their features or norms");
    const int64_t* const ends = view(starts, n + 1);
    expect(!starts || (order && ends[0] >= 0 && std::is_sorted(ends, ends + n + 1) &&
                       ends[n] <= static_cast<int64_t>(order->size())),
           "the places of copies do not fit");
    const Unlocked unlocked;
    return search.add({view(rows), view(norms, n), first, order ? order->data() : nullptr, ends});
}

auto take_found(Search& search) {
    Recommended found = search.take();
    return tuple(give<int64_t>(std::move(found.counts)), give<int64_t>(std::move(found.items)),
                 give<double>(std::move(found.scores)), give<bool>(std::move(found.tied)),
                 give<int64_t>(std::move(found.overflow)));
}

}  // namespace
}  // namespace matscore

NB_MODULE(_kernel, m) {
    using namespace matscore;
    m.doc() = "The compiled kernel of matscore; matscore.kernel is what the program imports.";
    nb::set_leak_warnings(false);  // what lives until the process ends is no fault
    m.def("read_number", bind_read_number);
    m.def("write_number", bind_write_number);
    m.def("parse", bind_parse);
    m.def("scan", bind_scan);
    m.def("write_rows", bind_write_rows, nb::arg(), nb::arg(), nb::arg(), nb::arg(),
          nb::arg().noconvert(), nb::arg());
    nb::class_<Levels>(m, "Levels")
        .def(nb::init<vector<string>, bool, bool, bool>())
        .def("find", bind_find_levels<const Levels>);
    nb::class_<GrowingLevels>(m, "GrowingLevels")
        .def(nb::init<>())
        .def("find", bind_find_levels<GrowingLevels>)
        .def("texts", &GrowingLevels::texts);
    m.def("exp", take_powers);
    m.def("norms", take_norms);
    m.def("rounding_unit", rounding_unit);
    m.def("use", choose);
    m.def("instruction_sets", [] {
        return vector<string>(instruction_sets + best_set, std::end(instruction_sets));
    });
    nb::class_<Model>(m, "Model")
        .def("__init__", make_model, "weights"_a, "intercept"_a = nb::none(),
             "gathers"_a = nb::none())
        .def("score", score_rows, "features"_a, "keep"_a = true)
        .def("error_bound", bound_scores)
        .def("rank", rank_scores);
    nb::class_<Search>(m, "Search")
        .def("__init__", make_search)
        .def("add", add_items)
        .def("take", take_found);
}
