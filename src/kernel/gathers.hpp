// Terms of which few are active in a row, such as the levels of a text column: they are looked up,
// and never made into columns of zeros.
#pragma once

#include "product.hpp"

namespace matscore {

// Terms of which at most one is active in a row: that of its code, with a stored number. Of row -1
// every code is 0, every number 1.
struct Gather {
    int64_t codes, values;       // stored rows; a code that is negative is none
    std::vector<int64_t> terms;  // of each code; -1 for none
};

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
    std::span<const Term> take(Matrix features, size_t row, std::vector<Term>& room) const {
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
        const std::span<Term> x(room.data(), n);
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
inline void multiply_row(std::span<const Term> x, Matrix weights, const double* added,
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
