// Terms of which few are active in a row, such as the levels of a text column: they are looked up,
// and never made into columns of zeros.
#pragma once

#include <optional>
#include <stdexcept>

#include "product.hpp"

namespace matscore {

// Terms of which at most one is active in a row: that of its code, with a stored number or 1.
struct Gather {
    static constexpr size_t none = SIZE_MAX;
    size_t codes = 0;              // a stored row; what is negative there is no code
    std::optional<size_t> values;  // a stored row; without it the value is 1
    std::vector<size_t> terms;     // of each code, or none
};

// The terms of a row that may not be zero, in order.
struct RowTerms {
    struct Active {
        size_t term;
        double value;
    };
    std::vector<double> values;
    std::vector<size_t> places;  // which they are of all
    std::vector<Active> active;  // those that were looked up
};

class Gathers {
  public:
    // `dense`: terms, and the stored rows that they are. All is in range, no term in two places.
    Gathers(size_t n_stored, size_t n_terms, std::vector<std::pair<size_t, size_t>> dense,
            std::vector<Gather> groups)
        : n_stored_(n_stored), dense_(std::move(dense)), groups_(std::move(groups)) {
        std::sort(dense_.begin(), dense_.end());
        std::vector<bool> is_other(n_stored, n_terms > 0);
        for (const auto& [term, row] : dense_) is_other[row] = false;
        for (size_t row = 0; row < n_stored; ++row)
            if (is_other[row]) others_.push_back(row);
    }
    size_t n_stored() const { return n_stored_; }

    // Where anything is missing the first term is.
    void take(Matrix features, size_t row, RowTerms& x) const {
        x.values.clear(), x.places.clear(), x.active.clear();
        for (const size_t other : others_)
            if (const double value = features.row(other)[row]; std::isnan(value))
                x.active.push_back({0, value});
        for (const Gather& group : groups_) {
            const double code = features.row(group.codes)[row];
            if (!(code >= 0.0)) continue;
            if (!(code < static_cast<double>(group.terms.size())))
                throw std::invalid_argument("a code is out of range");
            const size_t term = group.terms[static_cast<size_t>(code)];
            const double value = group.values ? features.row(*group.values)[row] : 1.0;
            if (term != Gather::none) x.active.push_back({term, value});
        }
        const auto is_before = [](const auto& a, const auto& b) { return a.term < b.term; };
        if (!std::is_sorted(x.active.begin(), x.active.end(), is_before))
            std::sort(x.active.begin(), x.active.end(), is_before);
        auto next = x.active.begin();
        const auto put_before = [&](size_t term) {
            for (; next != x.active.end() && next->term < term; ++next)
                x.places.push_back(next->term), x.values.push_back(next->value);
        };
        for (const auto& [term, from] : dense_) {
            put_before(term);
            x.places.push_back(term), x.values.push_back(features.row(from)[row]);
        }
        put_before(Gather::none);
    }

  private:
    size_t n_stored_;
    std::vector<std::pair<size_t, size_t>> dense_;  // terms, in order, and their stored rows
    std::vector<size_t> others_;                    // all other stored rows
    std::vector<Gather> groups_;
};

// The scores of a row, each so far after the one before it. Weights are (n_terms, n_categories),
// and 16 numbers more.
inline void multiply_row(const RowTerms& x, Matrix weights, const double* added, double* scores) {
    run([&](auto) MATSCORE_ALWAYS {
        for (size_t c = 0; c < weights.n_columns; c += 16) {
            const size_t n = std::min<size_t>(16, weights.n_columns - c);
            const auto run_vectors = [&](auto n_vectors) MATSCORE_ALWAYS {
                Lanes<4> sums[n_vectors] = {}, value, weight;
                for (size_t i = 0; i < x.values.size(); ++i) {
                    const double* const w = weights.row(x.places[i]) + c;
                    value = x.values[i] - Lanes<4>{};
                    unroll<n_vectors>([&](auto v) MATSCORE_ALWAYS {
                        load(weight, w + 4 * v);
                        add_product(sums[v], value, weight);
                    });
                }
                for (size_t i = 0; i < n; ++i)
                    scores[(c + i) * tile_rows] = sums[i / 4][i % 4] + added[c + i];
            };
            if (n > 8) run_vectors(std::integral_constant<size_t, 4>{});
            else if (n > 4) run_vectors(std::integral_constant<size_t, 2>{});
            else run_vectors(std::integral_constant<size_t, 1>{});
        }
    });
}

}  // namespace matscore
