// Scores, by definition: s = +0; for each feature in order: s = fma(x, w, s); score = s + intercept,
// each step rounded once. An intercept of -0, or none, counts as +0.
//
// So a feature that is zero changes nothing, and no score is ever -0: a chain may underflow to -0
// (and a zero after it may make +0 of that), but +0 or any other intercept ends both alike.
//
// The blocking is that of Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication
// (2008), section 4: a tile of scores in registers, a panel of weights in the first cache, a block
// of features in the second. A chain that is cut at the end of a panel goes on from the score
// as it was stored, which is exact.
#pragma once

#include <algorithm>
#include <limits>

#include "vectors.hpp"

namespace matscore {

inline constexpr size_t tile_rows = 24;   // three vectors of AVX-512, six of AVX2
inline constexpr size_t tile_width = 8;   // categories: a cache line of weights
inline constexpr size_t block_rows = 240;
inline constexpr double underflow = std::numeric_limits<double>::denorm_min();

// A tile's chains: `depth` features of 24 rows, `x_step` numbers apart, by those of W categories.
// They start from 0, or go on from `scores`; `add`, if any, ends them.
struct Chains {
    const double* x;
    size_t x_step;
    const double* w;
    size_t w_step, depth;
    double* scores;
    size_t scores_step;
    bool first;
    const double* add;
};

template <int L, int V, int W>
MATSCORE_INLINE void run_chains(const Chains& t, size_t row, size_t category) {
    Lanes<L> sums[W * V], xs[V];
    double* scores = t.scores + category * t.scores_step + row;
    const auto place = [&](size_t i) MATSCORE_INLINE_LAMBDA {
        return scores + i / V * t.scores_step + i % V * L;
    };
    unroll<W * V>([&](size_t i) MATSCORE_INLINE_LAMBDA { sums[i] = Lanes<L>{}; });
    if (!t.first) unroll<W * V>([&](size_t i) MATSCORE_INLINE_LAMBDA { load(sums[i], place(i)); });
    const double* x = t.x + row;
    const double* w = t.w + category;
    for (size_t f = 0; f < t.depth; ++f, x += t.x_step, w += t.w_step) {
        unroll<V>([&](size_t v) MATSCORE_INLINE_LAMBDA { load(xs[v], x + v * L); });
        unroll<W>([&](size_t c) MATSCORE_INLINE_LAMBDA {
            Lanes<L> weight;
            spread(weight, w[c]);
            unroll<V>([&](size_t v) MATSCORE_INLINE_LAMBDA {
                add_product(sums[c * V + v], xs[v], weight);
            });
        });
    }
    if (t.add != nullptr)
        unroll<W * V>([&](size_t i) MATSCORE_INLINE_LAMBDA { sums[i] += t.add[category + i / V] - Lanes<L>{}; });
    unroll<W * V>([&](size_t i) MATSCORE_INLINE_LAMBDA { store(place(i), sums[i]); });
}

// All rows of a tile by its first `width` categories, as many at a time as there are registers for.
template <int L>
MATSCORE_INLINE void run_tile(const Chains& t, size_t width) {
    constexpr int at_once = L == 4 ? 4 : 8;  // AVX2 has 16 registers, the others 32
    for (size_t c = 0; c < width; c += at_once)
        for (size_t row = 0; row < tile_rows; row += 3 * L) switch (std::min<size_t>(width - c, at_once)) {
                case 1: run_chains<L, 3, 1>(t, row, c); break;
                case 2: run_chains<L, 3, 2>(t, row, c); break;
                case 3: run_chains<L, 3, 3>(t, row, c); break;
                case 4: run_chains<L, 3, 4>(t, row, c); break;
                case 5: run_chains<L, 3, std::min(5, at_once)>(t, row, c); break;
                case 6: run_chains<L, 3, std::min(6, at_once)>(t, row, c); break;
                case 7: run_chains<L, 3, std::min(7, at_once)>(t, row, c); break;
                default: run_chains<L, 3, at_once>(t, row, c);
            }
}

// The same as a function of each instruction set: once, as it takes a compiler long.
template <int L>
void call_tile(const Chains& t, size_t width);
#if defined(__x86_64__)
template <>
MATSCORE_V4 __attribute__((noinline)) inline void call_tile<8>(const Chains& t, size_t width) {
    run_tile<8>(t, width);
}
template <>
MATSCORE_V3 __attribute__((noinline)) inline void call_tile<4>(const Chains& t, size_t width) {
    run_tile<4>(t, width);
}
#endif
template <>
__attribute__((noinline)) inline void call_tile<2>(const Chains& t, size_t width) {
    run_tile<2>(t, width);
}

// Weights of shape (n_features, n_categories) cut into panels of 8 categories; few stay as they are.
class Panels {
  public:
    explicit Panels(Matrix weights) : weights_(weights), step_(weights.n_columns) {
        if (step_ <= tile_width) return;
        const size_t n = count();
        packed_.resize(n * weights.n_rows * tile_width);
        for (size_t f = 0; f < weights.n_rows; ++f)
            for (size_t c = 0; c < weights.n_columns; ++c)
                packed_[(c / tile_width * weights.n_rows + f) * tile_width + c % tile_width] =
                    weights.row(f)[c];
        step_ = tile_width;
    }
    size_t count() const { return (weights_.n_columns + tile_width - 1) / tile_width; }
    size_t step() const { return step_; }
    size_t width(size_t panel) const {
        return std::min(tile_width, weights_.n_columns - panel * tile_width);
    }
    const double* at(size_t panel, size_t feature) const {
        const double* start = packed_.empty() ? weights_.data : packed_.data();
        return start + (panel * weights_.n_rows + feature) * step_;
    }

  private:
    Matrix weights_;
    size_t step_;
    std::vector<double> packed_;
};

// Copies n rows, of shape (depth, n) and `step` apart, into tiles of shape (depth, 24), feature by
// feature as they lie in memory; zeros fill the last one up.
MATSCORE_INLINE void pack_tiles(const double* x, size_t step, size_t depth, size_t n, double* to) {
    const size_t n_full = n / tile_rows, rest = n % tile_rows;
    for (size_t f = 0; f < depth; ++f, x += step, to += tile_rows) {
        for (size_t tile = 0; tile < n_full; ++tile)
            std::memcpy(to + tile * depth * tile_rows, x + tile * tile_rows, tile_rows * sizeof(double));
        if (rest == 0) continue;
        double* last = to + n_full * depth * tile_rows;
        std::copy_n(x + n_full * tile_rows, rest, last);
        std::fill(last + rest, last + tile_rows, 0.0);
    }
}

// Raises the sizes of n rows from `row` on to those of `depth` features from f on; NaN has none.
MATSCORE_INLINE void measure_rows(Matrix features, size_t row, size_t n, size_t f, size_t depth,
                                  double* sizes) {
    for (size_t stop = f + depth; f < stop; ++f) {
        const double* x = features.row(f) + row;
        for (size_t i = 0; i < n; ++i) {
            const double size = std::fabs(x[i]);
            sizes[row + i] = size > sizes[row + i] ? size : sizes[row + i];
        }
    }
}

// The product of features (n_features, n_rows) and weights: rows `start` up to `stop` of scores
// (n_categories, n_rows). One thread's work, with room of its own.
struct Product {
    Matrix features;
    const Panels& panels;
    const std::vector<double>& intercept;  // 0 where there is none
    double* scores;
    size_t start, stop;
    double* sizes = nullptr;  // (n_rows,): the largest size of each row's features, where wanted

    template <int L>
    MATSCORE_INLINE void run() const {
        run<L>([](size_t, size_t, size_t, size_t) MATSCORE_INLINE_LAMBDA {});
    }

    // Calls after(first category, categories, first row, rows) for scores that are done and still
    // in the first cache.
    template <int L, class After>
    MATSCORE_INLINE void run(const After& after) const {
        // A tile that is used once is read in place. Its features lie on a page each, of which the
        // processor finds few at once; copied, they lie together.
        const bool in_place = panels.count() == 1;
        const size_t most = in_place ? 64 : 256;
        const size_t n_parts = std::max<size_t>(1, (features.n_rows + most - 1) / most);
        const size_t depth = std::max<size_t>(1, (features.n_rows + n_parts - 1) / n_parts);
        std::vector<double> block((in_place ? tile_rows : block_rows) * depth);
        for (size_t row = start; row < stop; row += block_rows)
            for (size_t f = 0; f == 0 || f < features.n_rows; f += depth) {
                const size_t n = std::min(block_rows, stop - row);
                const size_t some = std::min(depth, features.n_rows - f);
                run_block<L>(row, n, f, some, in_place, block.data(), after);
            }
    }

  private:
    template <int L, class After>
    MATSCORE_INLINE void run_block(size_t row, size_t n, size_t f, size_t depth, bool in_place,
                                   double* block, const After& after) const {
        const size_t n_rows = features.n_columns;
        const double* x = features.row(f) + row;
        if (sizes != nullptr) measure_rows(features, row, n, f, depth, sizes);
        if (!in_place) pack_tiles(x, n_rows, depth, n, block);
        const bool last = f + depth == features.n_rows;
        for (size_t panel = 0; panel < panels.count(); ++panel) {
            const size_t category = panel * tile_width, width = panels.width(panel);
            const double* add = last ? intercept.data() + category : nullptr;
            for (size_t r = 0; r < n; r += tile_rows) {
                double* place = scores + category * n_rows + row + r;
                Chains t{x + r, n_rows, panels.at(panel, f), panels.step(), depth, place, n_rows, f == 0, add};
                if (!in_place) t.x = block + r * depth, t.x_step = tile_rows;
                if (n - r >= tile_rows)
                    call_tile<L>(t, width);
                else
                    run_edge<L>(t, width, n - r, in_place ? block : nullptr);
            }
            if (last) after(category, width, row, n);
        }
    }

    // A tile of fewer rows: on copies, the features' too unless they are one.
    template <int L>
    MATSCORE_INLINE void run_edge(Chains t, size_t width, size_t n, double* copy) const {
        double edge[tile_rows * tile_width] = {};
        double* scores_there = t.scores;
        const size_t step = t.scores_step;
        if (copy != nullptr) {
            pack_tiles(t.x, t.x_step, t.depth, n, copy);
            t.x = copy, t.x_step = tile_rows;
        }
        for (size_t c = 0; c < width && !t.first; ++c)
            std::copy_n(scores_there + c * step, n, edge + c * tile_rows);
        t.scores = edge, t.scores_step = tile_rows;
        call_tile<L>(t, width);
        for (size_t c = 0; c < width; ++c)
            std::copy_n(edge + c * tile_rows, n, scores_there + c * step);
    }
};

inline std::vector<double> fill_intercept(const double* intercept, size_t n_categories) {
    std::vector<double> filled(n_categories, 0.0);
    for (size_t c = 0; intercept != nullptr && c < n_categories; ++c) filled[c] += intercept[c];
    return filled;
}

// Scores (n_categories, n_rows) of features (n_features, n_rows) and weights (n_features,
// n_categories). Of few rows the categories are taken for rows: factors commute.
inline void multiply(Matrix features, Matrix weights, const double* intercept, double* scores) {
    const size_t n_rows = features.n_columns, n_categories = weights.n_columns;
    const std::vector<double> added = fill_intercept(intercept, n_categories);
    if (n_rows > tile_width || n_categories <= n_rows) {
        const Panels panels(weights);
        return run(Product{features, panels, added, scores, 0, n_rows});
    }
    const Panels panels(features);
    const std::vector<double> nothing(n_rows, 0.0);
    std::vector<double> turned(n_rows * n_categories);
    run(Product{weights, panels, nothing, turned.data(), 0, n_categories});
    for (size_t c = 0; c < n_categories; ++c)
        for (size_t r = 0; r < n_rows; ++r)
            scores[c * n_rows + r] = turned[r * n_categories + c] + added[c];
}

// Higham's gamma for n_features products and an intercept: Accuracy and Stability of Numerical
// Algorithms, 2nd ed., section 3.1. A chain has at most n_features + 1 roundings.
inline double rounding_unit(size_t n_features) {
    const double n_u = static_cast<double>(n_features + 1) * 0x1p-53;
    return n_u / (1.0 - n_u);
}

inline std::vector<double> take_sizes(const double* values, size_t n, double scale = 1.0) {
    std::vector<double> sizes(n);
    for (size_t i = 0; i < n; ++i) sizes[i] = std::fabs(values[i]) * scale;
    return sizes;
}

// Bounds the error of each score: gamma times the sum of the sizes of its terms, and what products
// that underflow may lose (Higham, section 2.1). `bounds` has the shape of the scores; NaN where a
// feature is NaN.
inline void bound_errors(Matrix features, Matrix weights, const double* intercept, double* bounds) {
    const size_t n_features = features.n_rows, n_rows = features.n_columns;
    const size_t n_categories = weights.n_columns, n = n_rows * n_categories;
    const std::vector<double> x = take_sizes(features.data, n_features * n_rows);
    const auto sum_sizes = [&](double scale, double* to) {
        const std::vector<double> w = take_sizes(weights.data, n_features * n_categories, scale);
        std::vector<double> b(n_categories, 0.0);
        if (intercept != nullptr) b = take_sizes(intercept, n_categories, scale);
        multiply({x.data(), n_features, n_rows}, {w.data(), n_features, n_categories}, b.data(), to);
    };
    const double unit = rounding_unit(n_features);
    sum_sizes(1.0, bounds);
    std::vector<double> shrunk;
    if (std::any_of(bounds, bounds + n, [](double sum) { return std::isinf(sum); })) {
        shrunk.resize(n);  // finite terms, whose sum is not
        int exponent = 0;
        std::frexp(static_cast<double>(n_features + 1), &exponent);
        const double scale = std::ldexp(1.0, -exponent);
        sum_sizes(scale, shrunk.data());
        for (size_t i = 0; i < n; ++i) shrunk[i] *= unit / scale;
    }
    for (size_t i = 0; i < n; ++i) {
        bounds[i] = std::isinf(bounds[i]) ? shrunk[i] : bounds[i] * unit;
        bounds[i] += static_cast<double>(n_features) * underflow;
    }
}

}  // namespace matscore
