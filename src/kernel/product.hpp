// Scores, by definition: s = +0; for each feature in order: s = fma(x, w, s); score = s +
// intercept, each step rounded once. An intercept of -0, or none, counts as +0.
//
// So a feature that is zero changes nothing, and no score is ever -0: a chain may underflow to -0
// (and a zero after it may make +0 of that), but +0 or any other intercept ends both alike.
//
// The blocking is that of Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication
// (2008), section 4: sums in registers, a tile of rows in the first cache, a group of categories
// and a block of rows in the second.
#pragma once

#include "vectors.hpp"

namespace matscore {

inline constexpr size_t tile_rows = 24;   // three vectors of AVX-512, six of AVX2
inline constexpr size_t group_size = 64;  // categories whose scores are made for a tile at a time
inline constexpr double underflow = std::numeric_limits<double>::denorm_min();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

// A matrix in memory, row after row.
struct Matrix {
    const double* data;
    size_t n_rows, n_columns;
    const double* row(size_t i) const { return data + i * n_columns; }
};

// A feature of a row, or a term, that may not be zero.
struct Term {
    size_t place;  // of all
    double value;
};

inline double find_largest(span<const double> values) {
    double largest = 0.0;
    for (const double value : values) largest = std::max(largest, std::fabs(value));  // not NaN
    return largest;
}
inline double find_largest(span<const Term> terms) {
    double largest = 0.0;
    for (const Term& term : terms) largest = std::max(largest, std::fabs(term.value));
    return largest;
}

// Each row's root of a chain of squares.
inline Buffer<double> find_norms(Matrix rows) {
    Buffer<double> norms(rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; ++i) {
        double sum = 0.0;
        for (size_t f = 0; f < rows.n_columns; ++f) {
            const double value = rows.row(i)[f];
            sum = std::fma(value, value, sum);
        }
        norms[i] = std::sqrt(sum);
    }
    return norms;
}

// Rows of features as they are multiplied: in tiles of shape (n_features, 24), the last one filled
// up with zeros. Columns lie on a page each, of which the processor finds few at once.
struct Tiles {
    size_t n_features = 0, n_rows = 0;
    std::vector<double> values{}, largest{};  // largest: the size of each row's largest feature

    // Takes rows `start` up to start + n of features.
    void take(Matrix features, size_t start, size_t n) {
        n_rows = n;
        largest.assign((n + tile_rows - 1) / tile_rows * tile_rows, 0.0);
        values.resize(n_features * largest.size());
        run([&](auto lanes) MATSCORE_ALWAYS {
            Lanes<lanes> value, size, most;
            for (size_t f = 0; f < n_features; ++f) {
                for (size_t row = 0; row < n; row += tile_rows) {
                    const double* from = features.row(f) + start + row;
                    double* const to = &at(f, row);
                    if (n - row < tile_rows) {
                        std::fill(std::copy_n(from, n - row, to), to + tile_rows, 0.0);
                        from = to;
                    }
                    for (size_t i = 0; i < tile_rows; i += lanes) {
                        load(value, from + i), load(most, &largest[row + i]);
                        store(to + i, value);
                        size = value < 0.0 ? -value : value;
                        store(&largest[row + i], size > most ? size : most);  // passes over NaN
                    }
                }
            }
        });
    }
    const double* tile(size_t row) const { return values.data() + row * n_features; }
    double& at(size_t feature, size_t row) {
        const size_t within = row % tile_rows;
        return values[(row - within) * n_features + feature * tile_rows + within];
    }
};

// Goes on with the chains of 3 L rows by four categories, for some features.
template <size_t L>
MATSCORE_INLINE void run_chains(const double* x, const double* const (&w)[4], size_t n_features,
                                double* scores) {
    Lanes<L> sums[12], xs[3], weight;
    const auto at = [&](size_t i) MATSCORE_ALWAYS {
        return scores + i / 3 * tile_rows + i % 3 * L;
    };
    unroll<12>([&](auto i) MATSCORE_ALWAYS { load(sums[i], at(i)); });
    for (size_t f = 0; f < n_features; ++f, x += tile_rows) {
        unroll<3>([&](auto v) MATSCORE_ALWAYS { load(xs[v], x + v * L); });
        unroll<12>([&](auto i) MATSCORE_ALWAYS {
            if constexpr (i % 3 == 0) weight = w[i / 3][f] - Lanes<L>{};
            add_product(sums[i], xs[i % 3], weight);
        });
    }
    unroll<12>([&](auto i) MATSCORE_ALWAYS { store(at(i), sums[i]); });
}

// Makes the scores of a tile, (categories, 24), of zeros. Chains that are cut where the first cache
// is full go on exactly.
inline void run_tile(const double* x, Matrix weights, const double* added, double* scores) {
    run([&](auto lanes) MATSCORE_ALWAYS {
        constexpr size_t most = 128;
        const size_t n = weights.n_rows, n_features = weights.n_columns;
        for (size_t f = 0; f < n_features; f += most)
            for (size_t c = 0; c < n; c += 4) {
                const double* w[4];  // past the last category its weights once more
                for (size_t i = 0; i < 4; ++i) w[i] = weights.row(std::min(c + i, n - 1)) + f;
                for (size_t row = 0; row < tile_rows; row += 3 * lanes)
                    run_chains<lanes>(x + f * tile_rows + row, w, std::min(most, n_features - f),
                                      scores + c * tile_rows + row);
            }
        for (size_t c = 0; c < n; ++c)
            for (size_t i = 0; i < tile_rows; ++i) scores[c * tile_rows + i] += added[c];
    });
}

// Some categories' scores of some rows, in the first cache: (categories, 24).
struct Part {
    size_t row, n_rows, category, n_categories;
    double* scores;
    double& at(size_t c, size_t i) const { return scores[c * tile_rows + i]; }
};

// Multiplies tiles and weights (n_categories, n_features), calls act(part) for every part.
template <class Act>
void multiply_tiles(const Tiles& x, Matrix weights, const double* added, const Act& act) {
    alignas(64) double scores[group_size * tile_rows];
    for (size_t c = 0; c < weights.n_rows; c += group_size)
        for (size_t row = 0; row < x.n_rows; row += tile_rows) {
            const size_t n = std::min(group_size, weights.n_rows - c);
            std::memset(scores, 0, (n + 3) / 4 * 4 * tile_rows * sizeof(double));
            run_tile(x.tile(row), {weights.row(c), n, weights.n_columns}, added + c, scores);
            act(Part{row, std::min(tile_rows, x.n_rows - row), c, n, scores});
        }
}

// Higham's gamma for n_features products and an intercept: Accuracy and Stability of Numerical
// Algorithms, 2nd ed., section 3.1. A chain has at most n_features + 1 roundings.
inline double rounding_unit(size_t n_features) {
    const double n_u = static_cast<double>(n_features + 1) * 0x1p-53;
    return n_u / (1.0 - n_u);
}

// The sum of the sizes of a row's products, with weights that are so far apart, in eight chains on
// every processor.
inline double add_sizes(span<const Term> x, const double* w, size_t step) {
    double sums[8] = {};
    run([&](auto) MATSCORE_ALWAYS {
        for (const Term& term : x) {
            double& sum = sums[term.place % 8];
            sum = __builtin_fma(std::fabs(term.value), std::fabs(w[term.place * step]), sum);
        }
    });
    for (size_t i = 0; i < 4; ++i) sums[i] += sums[i + 4];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Bounds the error of a score of n_features terms: gamma times the sum of their sizes, and what
// products that underflow may lose (Higham, section 2.1). NaN where a feature is NaN.
inline double bound_error(span<const Term> x, const double* w, size_t step, size_t n_features,
                          double added) {
    double unit = rounding_unit(n_features);
    double sum = add_sizes(x, w, step) + std::fabs(added);
    if (std::isinf(sum)) {  // finite terms, whose sum is not
        int exponent = 0;
        std::frexp(static_cast<double>(n_features + 1), &exponent);
        std::vector<Term> shrunk(x.begin(), x.end());
        for (Term& term : shrunk) term.value = std::ldexp(term.value, -exponent);
        sum = add_sizes(shrunk, w, step) + std::ldexp(std::fabs(added), -exponent);
        unit = std::ldexp(unit, exponent);
    }
    return sum * unit + static_cast<double>(n_features) * underflow;
}

// How far two scores can be apart and still tie, at most: for screening, so a little larger.
inline double widest_tie(size_t n_features, double largest, double heaviest, double added) {
    const double n = static_cast<double>(n_features);
    const double unit = 2.5 * rounding_unit(n_features);
    return (largest * unit) * (heaviest * n) + added * unit + 4.0 * n * underflow;
}

// Terms of which at most one is active in a row: the stored rows of codes and of values, -1 where
// all codes are 0, all values 1; the term of each code, or -1. A negative code is none.
using Gather = std::tuple<int64_t, int64_t, span<const int64_t>>;

class Gathers {
  public:
    // No term is in two groups; in the order of their terms, those of most rows are so, too.
    Gathers(size_t n_stored, size_t n_terms, const std::vector<Gather>& groups)
        : n_stored_(n_stored) {
        const auto check = [](int64_t number, size_t end) {
            expect(number >= -1 && number < static_cast<int64_t>(end),
                   "a term or row is out of range");
        };
        for (const auto& [codes, values, terms] : groups) {
            check(codes, n_stored), check(values, n_stored);
            for (const int64_t term : terms) check(term, n_terms);
            if (n_terms > 0) groups_.push_back({codes, values, terms_.size(), terms.size()});
            terms_.insert(terms_.end(), terms.begin(), terms.end());
        }
    }
    size_t n_stored() const { return n_stored_; }

    // The terms of a row that may not be zero, in order; a missing one where anything is.
    span<const Term> take(Matrix features, size_t row, std::vector<Term>& room) const {
        room.resize(groups_.size());
        size_t n = 0;
        int64_t last = -1;
        bool is_missing = false, is_sorted = true;
        for (const auto& [codes, values, first, n_codes] : groups_) {
            const double code = codes < 0 ? 0.0 : features.row(static_cast<size_t>(codes))[row];
            const double value = values < 0 ? 1.0 : features.row(static_cast<size_t>(values))[row];
            is_missing |= std::isnan(code + value);
            if (!(code >= 0.0)) continue;
            expect(code < static_cast<double>(n_codes), "a code is out of range");
            const int64_t term = terms_[first + static_cast<size_t>(code)];
            if (term < 0) continue;
            is_sorted &= term > last;
            room[n++] = {static_cast<size_t>(last = term), value};
        }
        if (is_missing) room[0] = {0, std::numeric_limits<double>::quiet_NaN()}, n = 1;
        const span<Term> x(room.data(), n);
        if (!is_sorted) std::ranges::sort(x, {}, &Term::place);
        return x;
    }

  private:
    struct Group {
        int64_t codes, values;
        size_t first, n_codes;  // of terms
    };
    size_t n_stored_;
    std::vector<Group> groups_;
    std::vector<int64_t> terms_;
};

// The scores of a row, each so far after the one before it. Weights are (n_terms, n_categories),
// and 16 numbers more.
inline void multiply_row(span<const Term> x, Matrix weights, const double* added,
                         double* scores) {
    run([&](auto) MATSCORE_ALWAYS {
        for (size_t c = 0; c < weights.n_columns; c += 16) {
            const size_t n = std::min<size_t>(16, weights.n_columns - c);
            const auto run_vectors = [&](auto n_vectors) MATSCORE_ALWAYS {
                Lanes<4> sums[n_vectors] = {}, value, weight;
                for (const Term& term : x) {
                    const double* const w = weights.row(term.place) + c;
                    value = term.value - Lanes<4>{};
                    unroll<n_vectors>([&](auto v) MATSCORE_ALWAYS {
                        load(weight, w + 4 * v);
                        add_product(sums[v], value, weight);
                    });
                }
                for (size_t i = 0; i < n; ++i)
                    scores[(c + i) * tile_rows] = sums[i / 4][i % 4] + added[c + i];
            };
            if (n > 4) run_vectors(std::integral_constant<size_t, 4>{});
            else run_vectors(std::integral_constant<size_t, 1>{});
        }
    });
}

}  // namespace matscore
