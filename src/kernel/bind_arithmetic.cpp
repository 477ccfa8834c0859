// The arithmetic half of the extension module: shapes are checked here, and the interpreter's lock
// is released while numbers are computed.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "exp.hpp"
#include "top.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace matscore {
namespace {

using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Matrix view(const Table& table) { return {table.data(), table.shape(0), table.shape(1)}; }

void expect(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

template <class T>
using Array = nb::ndarray<nb::numpy, T>;

// An array for results: not set to zero, as all of it is written.
template <class T>
Array<T> make(std::initializer_list<size_t> shape) {
    size_t n = 1;
    for (size_t size : shape) n *= size;
    T* values = new T[n];
    const nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return {values, shape, owner};
}

template <class T, class Values>
Array<T> give(const Values& values) {
    const Array<T> array = make<T>({values.size()});
    std::copy(values.begin(), values.end(), array.data());
    return array;
}

// Calls work() without the interpreter's lock.
template <class Work>
void unlocked(const Work& work) {
    const nb::gil_scoped_release released;
    work();
}

void check_rows(const Model& model, const Table& features) {
    expect(features.shape(0) == model.n_features(), "features and weights differ in the number of features");
}

void check_scores(const Model& model, const Table& features, const Table& scores) {
    check_rows(model, features);
    expect(scores.shape(0) == model.n_categories() && scores.shape(1) == features.shape(1),
           "the scores are not one a category and row");
}

void make_model(Model* self, Table weights, std::optional<Row> intercept) {
    expect(!intercept || intercept->shape(0) == weights.shape(1), "the intercept is not one number a category");
    new (self) Model(view(weights), intercept ? intercept->data() : nullptr);
}

Array<double> multiply_rows(const Model& model, Table features) {
    check_rows(model, features);
    const auto scores = make<double>({model.n_categories(), features.shape(1)});
    unlocked([&] { model.multiply(view(features), scores.data()); });
    return scores;
}

nb::tuple score_rows(const Model& model, Table features, bool keep) {
    check_rows(model, features);
    const size_t n = features.shape(1);
    const auto scores = make<double>({keep ? model.n_categories() : 0, n});
    const auto best = make<int64_t>({n});
    const auto margin = make<double>({n});
    const auto tied = make<bool>({n});
    const auto overflow = make<bool>({n});
    const Decision decision{best.data(), margin.data(), tied.data(), overflow.data()};
    unlocked([&] { model.score(view(features), keep ? scores.data() : nullptr, decision); });
    return nb::make_tuple(scores, best, margin, tied, overflow);
}

Array<double> bound_scores(const Model& model, Table features) {
    check_rows(model, features);
    const size_t n = features.shape(1);
    const auto bounds = make<double>({model.n_categories(), n});
    std::vector<double> x(model.n_features());
    for (size_t row = 0; row < n; ++row) {
        for (size_t f = 0; f < x.size(); ++f) x[f] = view(features).row(f)[row];
        for (size_t c = 0; c < model.n_categories(); ++c) bounds.data()[c * n + row] = model.bound(x.data(), c);
    }
    return bounds;
}

Array<bool> mark_cells(const Model& model, Table features, Table scores) {
    check_scores(model, features, scores);
    const size_t n = features.shape(1);
    const auto cells = make<bool>({model.n_categories(), n});
    std::fill_n(cells.data(), model.n_categories() * n, false);
    model.rank_rows(view(features), view(scores), 1, [&](size_t row, const std::vector<Candidate>& left) {
        for (const Candidate& one : left)
            cells.data()[static_cast<size_t>(one.place) * n + row] = one.tied || &one == left.data();
    });
    return cells;
}

nb::tuple rank_scores(const Model& model, Table features, Table scores, size_t k) {
    check_scores(model, features, scores);
    k = std::min(k, model.n_categories());
    const auto places = make<int64_t>({features.shape(1), k});
    const auto tied = make<bool>({features.shape(1), k});
    unlocked([&] {
        model.rank_rows(view(features), view(scores), k, [&](size_t row, const std::vector<Candidate>& left) {
            for (size_t i = 0; i < k; ++i) {
                places.data()[row * k + i] = i < left.size() ? left[i].place : -1;
                tied.data()[row * k + i] = i < left.size() && left[i].tied;
            }
        });
    });
    return nb::make_tuple(places, tied);
}

Array<double> take_powers(Table values) {
    const auto powers = make<double>({values.shape(0), values.shape(1)});
    unlocked([&] { exp_numbers(values.data(), values.size(), powers.data()); });
    return powers;
}

Array<double> make_probabilities(Table scores) {
    expect(scores.shape(0) > 0, "there are no categories");
    const auto probabilities = make<double>({scores.shape(0), scores.shape(1)});
    unlocked([&] { find_probabilities(view(scores), probabilities.data()); });
    return probabilities;
}

Excluded take_excluded(const std::optional<Places>& starts, const std::optional<Places>& items, size_t n_users) {
    Excluded excluded;
    expect(starts.has_value() == items.has_value(), "excluded items go with where each user's start");
    if (!starts) return excluded;
    excluded.starts.assign(starts->data(), starts->data() + starts->shape(0));
    excluded.items.assign(items->data(), items->data() + items->shape(0));
    expect(excluded.starts.size() == n_users + 1 && excluded.starts.front() == 0 &&
               excluded.starts.back() == static_cast<int64_t>(excluded.items.size()) &&
               std::is_sorted(excluded.starts.begin(), excluded.starts.end()),
           "the starts of excluded items do not fit");
    for (size_t u = 0; u < n_users; ++u)
        std::sort(excluded.items.begin() + excluded.starts[u], excluded.items.begin() + excluded.starts[u + 1]);
    return excluded;
}

void check_users(const Items& items, size_t n_features) {
    expect(n_features == items.n_features(), "users and items differ in the number of features");
}

nb::tuple recommend_items(const Items& items, Table users, size_t k, double min_score, std::optional<Places> starts,
                          std::optional<Places> excluded, size_t most_pairs) {
    check_users(items, users.shape(0));
    expect(k > 0, "no item is wanted");
    const Excluded left_out = take_excluded(starts, excluded, users.shape(1));
    const Wish wish{std::min(k, std::max<size_t>(items.size(), 1)), min_score, most_pairs, left_out};
    Recommended found;
    unlocked([&] {
        for (size_t start = 0; start < users.shape(1); start += 512)
            recommend(items, view(users), start, std::min<size_t>(512, users.shape(1) - start), wish, found);
    });
    return nb::make_tuple(give<int64_t>(found.counts), give<int64_t>(found.items),
                          give<double>(found.scores), give<bool>(found.tied),
                          give<int64_t>(found.overflow));
}

Array<double> score_all(const Items& items, Table users) {
    check_users(items, users.shape(0));
    const auto scores = make<double>({users.shape(1), items.size()});
    unlocked([&] { score_items(items, view(users), scores.data()); });
    return scores;
}

Array<double> unpack_items(const Items& items, size_t block) {
    expect(block < items.blocks().size(), "there are not so many blocks");
    const auto rows = make<double>({items.blocks()[block].order.size(), items.n_features()});
    items.unpack(items.blocks()[block], rows.data());
    return rows;
}

void add_items(Items& items, Table rows) {
    check_users(items, rows.shape(1));
    unlocked([&] { items.add(view(rows)); });
}

}  // namespace
}  // namespace matscore

void bind_arithmetic(nb::module_& m) {
    using namespace matscore;
    m.def("exp", &take_powers, "values"_a);
    m.def("softmax", &make_probabilities, "scores"_a);
    m.def("rounding_unit", &rounding_unit, "n_features"_a);
    m.def("use", [](const std::string& name) { chosen_isa = find_isa(name); }, "instruction_set"_a);
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (size_t i = 0; i < isa_names.size(); ++i)
            if (runs_here(static_cast<Isa>(i))) names.emplace_back(isa_names[i]);
        return names;
    });
    nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::system_error& error) {
            errno = error.code().value();
            PyErr_SetFromErrno(PyExc_OSError);
        }
    });
    nb::class_<Model>(m, "Model")
        .def("__init__", &make_model, "weights"_a, "intercept"_a = nb::none())
        .def("multiply", &multiply_rows, "features"_a)
        .def("score", &score_rows, "features"_a, "keep"_a = true)
        .def("error_bound", &bound_scores, "features"_a)
        .def("tied_cells", &mark_cells, "features"_a, "scores"_a)
        .def("rank", &rank_scores, "features"_a, "scores"_a, "k"_a);
    nb::class_<Items>(m, "Items")
        .def(nb::init<size_t, bool, int>(), "n_features"_a, nb::kw_only(), "cosine"_a = false, "spill"_a = -1)
        .def("__len__", &Items::size)
        .def("n_blocks", [](const Items& items) { return items.blocks().size(); })
        .def("unpack", &unpack_items, "block"_a)
        .def("add", &add_items, "rows"_a)
        .def("recommend", &recommend_items, "users"_a, "k"_a, nb::kw_only(),
             "min_score"_a = -std::numeric_limits<double>::infinity(), "starts"_a = nb::none(),
             "excluded"_a = nb::none(), "most_pairs"_a = size_t{1} << 21)
        .def("score", &score_all, "users"_a);
}
