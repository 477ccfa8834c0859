// The arithmetic half of the extension module: shapes are checked here, and the interpreter's lock
// is released while numbers are computed.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "best.hpp"
#include "top.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace matscore {
namespace {

using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Row = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T, size_t N>
using Result = nb::ndarray<nb::numpy, T, nb::ndim<N>>;

Matrix view(const Table& table) { return {table.data(), table.shape(0), table.shape(1)}; }

void expect(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

// An array that owns its numbers.
template <class T, size_t N>
struct Owned {
    std::unique_ptr<T[]> data;
    std::array<size_t, N> shape;

    explicit Owned(std::array<size_t, N> sizes) : shape(sizes) {
        size_t n = 1;
        for (size_t size : sizes) n *= size;
        data.reset(new T[n]);  // not set to zero: all of it is written
    }
    Result<T, N> give() {
        T* values = data.release();
        const nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<T*>(p); });
        return {values, N, shape.data(), owner};
    }
};

template <class T>
Result<T, 1> give(const std::vector<T>& values) {
    Owned<T, 1> owned({values.size()});
    std::copy(values.begin(), values.end(), owned.data.get());
    return owned.give();
}

// A linear model and rows that it is to score.
struct Task {
    Matrix features, weights;
    const double* intercept;

    Task(const Table& x, const Table& w, const std::optional<Row>& b)
        : features(view(x)), weights(view(w)), intercept(b ? b->data() : nullptr) {
        expect(x.shape(0) == w.shape(0), "features and weights differ in the number of features");
        expect(!b || b->shape(0) == w.shape(1), "the intercept is not one number a category");
    }
    size_t n_rows() const { return features.n_columns; }
    size_t n_categories() const { return weights.n_columns; }
    std::array<size_t, 2> shape() const { return {n_categories(), n_rows()}; }
    void expect_scores(const Table& scores) const {
        expect(scores.shape(0) == n_categories() && scores.shape(1) == n_rows(),
               "the scores are not one a category and row");
    }
};

nb::object multiply_rows(Table features, Table weights, std::optional<Row> intercept) {
    const Task task(features, weights, intercept);
    Owned<double, 2> scores(task.shape());
    {
        const nb::gil_scoped_release unlocked;
        multiply(task.features, task.weights, task.intercept, scores.data.get());
    }
    return nb::cast(scores.give());
}

nb::object bound_scores(Table features, Table weights, std::optional<Row> intercept) {
    const Task task(features, weights, intercept);
    Owned<double, 2> bounds(task.shape());
    {
        const nb::gil_scoped_release unlocked;
        bound_errors(task.features, task.weights, task.intercept, bounds.data.get());
    }
    return nb::cast(bounds.give());
}

nb::tuple decide_rows(const Task& task, double* scores, bool has_scores) {
    Owned<int64_t, 1> best({task.n_rows()});
    Owned<double, 1> margin({task.n_rows()});
    Owned<bool, 1> tied({task.n_rows()}), overflow({task.n_rows()});
    {
        const nb::gil_scoped_release unlocked;
        const Decision decision{best.data.get(), margin.data.get(), tied.data.get(), overflow.data.get()};
        decide(task.features, task.weights, task.intercept, scores, has_scores, decision);
    }
    return nb::make_tuple(best.give(), margin.give(), tied.give(), overflow.give());
}

nb::tuple score_rows(Table features, Table weights, std::optional<Row> intercept) {
    const Task task(features, weights, intercept);
    Owned<double, 2> scores(task.shape());
    const nb::tuple decision = decide_rows(task, scores.data.get(), false);
    return nb::make_tuple(scores.give(), decision[0], decision[1], decision[2], decision[3]);
}

nb::tuple decide_scores(Table scores, Table features, Table weights, std::optional<Row> intercept) {
    const Task task(features, weights, intercept);
    task.expect_scores(scores);
    return decide_rows(task, const_cast<double*>(scores.data()), true);
}

nb::object mark_cells(Table scores, Table features, Table weights, std::optional<Row> intercept) {
    const Task task(features, weights, intercept);
    task.expect_scores(scores);
    Owned<bool, 2> cells(task.shape());
    {
        const nb::gil_scoped_release unlocked;
        tied_cells(view(scores), task.features, task.weights, task.intercept, cells.data.get());
    }
    return nb::cast(cells.give());
}

nb::tuple rank_scores(Table scores, Table features, Table weights, std::optional<Row> intercept, size_t k) {
    const Task task(features, weights, intercept);
    task.expect_scores(scores);
    const size_t n_ranks = std::min(k, task.n_categories());
    Owned<int64_t, 2> places({task.n_rows(), n_ranks});
    Owned<bool, 2> tied({task.n_rows(), n_ranks});
    {
        const nb::gil_scoped_release unlocked;
        rank_categories(view(scores), task.features, task.weights, task.intercept, n_ranks,
                        places.data.get(), tied.data.get());
    }
    return nb::make_tuple(places.give(), tied.give());
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

nb::tuple recommend_items(const Items& items, Table users, size_t k, std::optional<double> min_score,
                          std::optional<Places> starts, std::optional<Places> excluded, size_t most_pairs) {
    expect(users.shape(0) == items.n_features(), "users and items differ in the number of features");
    expect(k > 0, "no item is wanted");
    const Excluded left_out = take_excluded(starts, excluded, users.shape(1));
    Recommended found;
    {
        const nb::gil_scoped_release unlocked;
        for (size_t start = 0; start < users.shape(1); start += 512)
            recommend(items, view(users), start, std::min<size_t>(start + 512, users.shape(1)),
                      std::min(k, std::max<size_t>(items.size(), 1)), min_score, left_out, most_pairs, found);
    }
    Owned<bool, 1> tied({found.tied.size()});
    std::copy(found.tied.begin(), found.tied.end(), tied.data.get());
    return nb::make_tuple(give(found.counts), give(found.items), give(found.scores), tied.give(), give(found.overflow));
}

nb::object score_all(const Items& items, Table users) {
    expect(users.shape(0) == items.n_features(), "users and items differ in the number of features");
    Owned<double, 2> scores({users.shape(1), items.size()});
    {
        const nb::gil_scoped_release unlocked;
        score_items(items, view(users), scores.data.get());
    }
    return nb::cast(scores.give());
}

nb::object unpack_items(const Items& items, size_t block) {
    expect(block < items.blocks().size(), "there are not so many blocks");
    Owned<double, 2> rows({items.count(block), items.n_features()});
    items.unpack(block, rows.data.get());
    return nb::cast(rows.give());
}

void add_items(Items& items, Table rows) {
    expect(rows.shape(1) == items.n_features(), "the rows differ in the number of features");
    const nb::gil_scoped_release unlocked;
    items.add(view(rows));
}

}  // namespace
}  // namespace matscore

void bind_arithmetic(nb::module_& m) {
    using namespace matscore;
    const auto none = nb::none();
    m.def("multiply", &multiply_rows, "features"_a, "weights"_a, "intercept"_a = none);
    m.def("error_bound", &bound_scores, "features"_a, "weights"_a, "intercept"_a = none);
    m.def("score", &score_rows, "features"_a, "weights"_a, "intercept"_a = none);
    m.def("decide", &decide_scores, "scores"_a, "features"_a, "weights"_a, "intercept"_a = none);
    m.def("tied_cells", &mark_cells, "scores"_a, "features"_a, "weights"_a, "intercept"_a = none);
    m.def("rank", &rank_scores, "scores"_a, "features"_a, "weights"_a, "intercept"_a, "k"_a);
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
    nb::class_<Items>(m, "Items")
        .def("__init__", [](Items* self, size_t n_features, bool cosine, int spill) {
            new (self) Items(n_features, cosine ? Metric::cosine : Metric::dot, spill);
        }, "n_features"_a, nb::kw_only(), "cosine"_a = false, "spill"_a = -1)
        .def("__len__", &Items::size)
        .def("n_blocks", [](const Items& items) { return items.blocks().size(); })
        .def("unpack", &unpack_items, "block"_a)
        .def("add", &add_items, "rows"_a)
        .def("recommend", &recommend_items, "users"_a, "k"_a, nb::kw_only(), "min_score"_a = none,
             "starts"_a = none, "excluded"_a = none, "most_pairs"_a = size_t{1} << 22)
        .def("score", &score_all, "users"_a);
}
