// The extension module, its arithmetic half: shapes are checked here, and the interpreter's lock
// is released while numbers are computed. A result is cast once it is taken again.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
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
template <class T>
using Array = nb::ndarray<nb::numpy, T>;

Matrix view(const Table& table) { return {table.data(), table.shape(0), table.shape(1)}; }

void expect(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

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

std::vector<int64_t> take_places(const Places& places) {
    return {places.data(), places.data() + places.size()};
}

// (dense, groups, n_stored), with groups of (codes, values, terms): see matscore.kernel.Gathers.
using Pairs = nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parts = std::tuple<Pairs, std::vector<std::tuple<int64_t, int64_t, Places>>, int64_t>;

Gathers take_gathers(const Parts& parts, size_t n_terms) {
    const auto& [pairs, groups, n_stored] = parts;
    expect(pairs.shape(1) == 2 && n_terms < UINT32_MAX && n_stored >= 0, "terms are not in pairs");
    std::vector<size_t> owners(n_terms);  // of terms: 1 for the dense ones, groups from 2
    const auto take_term = [&](int64_t term, size_t owner) {
        expect(term >= 0 && term < static_cast<int64_t>(n_terms), "a term is out of range");
        size_t& before = owners[static_cast<size_t>(term)];
        expect(before == 0 || (before == owner && owner > 1), "a term is there twice");
        before = owner;
        return static_cast<uint32_t>(term);
    };
    const auto take_row = [&](int64_t row) {
        expect(row >= 0 && row < n_stored, "a stored row is out of range");
        return static_cast<size_t>(row);
    };
    std::vector<std::pair<size_t, size_t>> dense;
    for (size_t i = 0; i < pairs.shape(0); ++i)
        dense.emplace_back(take_term(pairs(i, 1), 1), take_row(pairs(i, 0)));
    std::vector<Gather> taken;
    for (const auto& [codes, values, terms] : groups) {
        Gather& group = taken.emplace_back();
        group.codes = take_row(codes);
        if (values != -1) group.values = take_row(values);
        for (const int64_t term : take_places(terms))
            group.targets.push_back({term == -1 ? Gather::none
                                                : take_term(term, taken.size() + 1)});
    }
    return {static_cast<size_t>(n_stored), n_terms, std::move(dense), std::move(taken)};
}

void make_model(Model* self, Table weights, std::optional<Row> intercept,
                std::optional<Parts> parts) {
    expect(!intercept || intercept->shape(0) == weights.shape(1),
           "the intercept is not one number a category");
    std::optional<Gathers> gathers;
    if (parts) gathers = take_gathers(*parts, weights.shape(0));
    new (self) Model(view(weights), intercept ? intercept->data() : nullptr, std::move(gathers));
}

// The features of rows to score; their scores, which are checked where there are some.
Matrix take_rows(const Model& model, const Table& features, const Table* scores = nullptr) {
    const Matrix rows = view(features);
    expect(rows.n_rows == model.n_stored(),
           "features and weights differ in the number of features");
    expect(scores == nullptr || (scores->shape(0) == model.n_categories() &&
                                 scores->shape(1) == rows.n_columns),
           "the scores are not one a category and row");
    expect(!model.gathers() || model.gathers()->has_codes(rows), "a code is out of range");
    return rows;
}

auto score_rows(const Model& model, Table features, bool keep) {
    const Matrix rows = take_rows(model, features);
    const size_t n = rows.n_columns;
    const auto scores = make<double>({keep ? model.n_categories() : 0, n});
    const auto margin = make<double>({n});
    const auto best = make<int64_t>({n});
    const auto tied = make<bool>({n}), overflow = make<bool>({n});
    const nb::gil_scoped_release unlocked;
    model.score(rows, keep ? scores.data() : nullptr,
                {best.data(), margin.data(), tied.data(), overflow.data()});
    return std::tuple(scores, best, margin, tied, overflow);
}

Array<double> bound_scores(const Model& model, Table features) {
    const Matrix rows = take_rows(model, features);
    const auto bounds = make<double>({model.n_categories(), rows.n_columns});
    for (size_t row = 0; row < rows.n_columns; ++row) {
        double* to = bounds.data() + row;
        for (const double bound : model.bound_scores(rows, row)) *to = bound, to += rows.n_columns;
    }
    return bounds;
}

Array<bool> mark_cells(const Model& model, Table features, Table scores) {
    const Matrix rows = take_rows(model, features, &scores);
    const auto cells = make<bool>({model.n_categories(), rows.n_columns});
    std::fill_n(cells.data(), cells.size(), false);
    for (size_t row = 0; row < rows.n_columns; ++row) {
        const auto& left = model.rank_row(rows, row, {scores.data() + row, rows.n_columns}, 1);
        for (const Candidate& one : left) {
            const size_t place = static_cast<size_t>(one.place) * rows.n_columns + row;
            cells.data()[place] = one.tied || &one == left.data();
        }
    }
    return cells;
}

auto rank_scores(const Model& model, Table features, Table scores, size_t k) {
    const Matrix rows = take_rows(model, features, &scores);
    k = std::min(k, model.n_categories());
    const auto places = make<int64_t>({rows.n_columns, k});
    const auto tied = make<bool>({rows.n_columns, k});
    const nb::gil_scoped_release unlocked;
    for (size_t row = 0; row < rows.n_columns; ++row) {
        const auto& left = model.rank_row(rows, row, {scores.data() + row, rows.n_columns}, k);
        for (size_t i = 0; i < k; ++i) {
            places.data()[row * k + i] = i < left.size() ? left[i].place : -1;
            tied.data()[row * k + i] = i < left.size() && left[i].tied;
        }
    }
    return std::tuple(places, tied);
}

Array<double> take_powers(Table values) {
    const auto powers = make<double>({values.shape(0), values.shape(1)});
    exp_numbers(values.data(), values.size(), powers.data());
    return powers;
}

Excluded take_excluded(const std::optional<Places>& starts, const std::optional<Places>& items,
                       size_t n_users) {
    if (!starts || !items) return {};
    Excluded excluded{take_places(*starts), take_places(*items)};
    const auto& ends = excluded.starts;
    expect(ends.size() == n_users + 1 && ends.front() == 0 &&
               ends.back() == static_cast<int64_t>(items->size()) &&
               std::is_sorted(ends.begin(), ends.end()),
           "the starts of excluded items do not fit");
    for (size_t u = 0; u < n_users; ++u)
        std::sort(excluded.items.begin() + ends[u], excluded.items.begin() + ends[u + 1]);
    return excluded;
}

Matrix take_users(const Items& items, const Table& users) {
    expect(users.shape(0) == items.n_features(),
           "users and items differ in the number of features");
    return view(users);
}

auto recommend_items(const Items& items, Table features, size_t k, double min_score,
                     std::optional<Places> starts, std::optional<Places> excluded,
                     size_t most_pairs) {
    const Matrix users = take_users(items, features);
    expect(k > 0, "no item is wanted");
    const Wish wish{std::min(k, std::max<size_t>(items.size(), 1)), min_score, most_pairs,
                    take_excluded(starts, excluded, users.n_columns)};
    Recommended found;
    {
        const nb::gil_scoped_release unlocked;
        for (size_t start = 0; start < users.n_columns; start += 512)
            recommend(items, users, start, std::min<size_t>(512, users.n_columns - start), wish,
                      found);
    }
    return std::tuple(give<int64_t>(found.counts), give<int64_t>(found.items),
                      give<double>(found.scores), give<bool>(found.tied),
                      give<int64_t>(found.overflow));
}

Array<double> score_all(const Items& items, Table features) {
    const Matrix users = take_users(items, features);
    const auto scores = make<double>({users.n_columns, items.size()});
    const nb::gil_scoped_release unlocked;
    score_items(items, users, scores.data());
    return scores;
}

Array<double> unpack_items(const Items& items, size_t block) {
    expect(block < items.blocks().size(), "there are not so many blocks");
    const auto rows = make<double>({items.blocks()[block].order.size(), items.n_features()});
    items.unpack(items.blocks()[block], rows.data());
    return rows;
}

void add_items(Items& items, Table rows) {
    expect(rows.shape(1) == items.n_features(), "the rows differ in the number of features");
    const nb::gil_scoped_release unlocked;
    items.add(view(rows));
}

}  // namespace
}  // namespace matscore

void bind_text(nb::module_& m);

NB_MODULE(_kernel, m) {
    using namespace matscore;
    m.doc() = "The compiled kernel of matscore; matscore.kernel is what the program imports.";
    nb::set_leak_warnings(false);  // what lives until the process ends is no fault
    bind_text(m);
    m.def("exp", &take_powers, "values"_a);
    m.def("rounding_unit", &rounding_unit, "n_features"_a);
    m.def("use", &choose, "instruction_set"_a);
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const auto& [lanes, name] : instruction_sets) names.push_back(name);
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
        .def("__init__", &make_model, "weights"_a, "intercept"_a = nb::none(),
             "gathers"_a = nb::none())
        .def("score", &score_rows, "features"_a, "keep"_a = true)
        .def("error_bound", &bound_scores, "features"_a)
        .def("tied_cells", &mark_cells, "features"_a, "scores"_a)
        .def("rank", &rank_scores, "features"_a, "scores"_a, "k"_a);
    nb::class_<Items>(m, "Items")
        .def(nb::init<size_t, bool, int>(), "n_features"_a, nb::kw_only(), "cosine"_a = false,
             "spill"_a = -1)
        .def("__len__", &Items::size)
        .def("n_blocks", [](const Items& items) { return items.blocks().size(); })
        .def("unpack", &unpack_items, "block"_a)
        .def("add", &add_items, "rows"_a)
        .def("recommend", &recommend_items, "users"_a, "k"_a, nb::kw_only(),
             "min_score"_a = -infinity, "starts"_a = nb::none(),
             "excluded"_a = nb::none(), "most_pairs"_a = size_t{1} << 21)
        .def("score", &score_all, "users"_a);
}
