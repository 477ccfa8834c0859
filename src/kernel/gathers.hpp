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
    std::vector<size_t> slots{};   // how many dense terms come before each
};

// A term of one row alone, which comes after the first `slot` dense ones.
struct Step {
    size_t term, slot;
    double value;
};

class Gathers {
  public:
    // `dense`: terms, and the stored rows that they are. All is in range, no term in two places.
    Gathers(size_t n_stored, size_t n_terms, std::vector<std::pair<size_t, size_t>> dense,
            std::vector<Gather> groups)
        : n_stored_(n_stored), groups_(std::move(groups)) {
        std::sort(dense.begin(), dense.end());
        std::vector<bool> is_other(n_stored, n_terms > 0);
        for (const auto& [term, row] : dense) {
            terms_.push_back(term), rows_.push_back(row);
            is_other[row] = false;
        }
        for (size_t row = 0; row < n_stored; ++row)
            if (is_other[row]) others_.push_back(row);
        for (Gather& group : groups_)
            for (const size_t term : group.terms) {
                const auto place = std::lower_bound(terms_.begin(), terms_.end(), term);
                group.slots.push_back(static_cast<size_t>(place - terms_.begin()));
            }
    }
    size_t n_stored() const { return n_stored_; }
    size_t n_groups() const { return groups_.size(); }
    const std::vector<size_t>& terms() const { return terms_; }  // the dense ones, in order
    const std::vector<size_t>& rows() const { return rows_; }    // their stored rows

    // Appends the active terms of a row that are not dense, in order. Where anything is missing the
    // first term is.
    void find_steps(Matrix features, size_t row, std::vector<Step>& steps) const {
        const auto start = static_cast<std::ptrdiff_t>(steps.size());
        for (const size_t other : others_)
            if (const double value = features.row(other)[row]; std::isnan(value))
                steps.push_back({0, 0, value});
        for (const Gather& group : groups_) {
            const double code = features.row(group.codes)[row];
            if (!(code >= 0.0)) continue;
            if (!(code < static_cast<double>(group.terms.size())))
                throw std::invalid_argument("a code is out of range");
            const auto i = static_cast<size_t>(code);
            if (group.terms[i] == Gather::none) continue;
            const double value = group.values ? features.row(*group.values)[row] : 1.0;
            steps.push_back({group.terms[i], group.slots[i], value});
        }
        std::sort(steps.begin() + start, steps.end(),
                  [](const Step& a, const Step& b) { return a.term < b.term; });
    }

    // Calls act(value, term) for the dense and active terms of a row, in order.
    template <class Act>
    void visit(Matrix features, size_t row, std::vector<Step>& room, const Act& act) const {
        room.clear();
        find_steps(features, row, room);
        visit(room, [&](size_t slot) { return features.row(rows_[slot])[row]; }, act);
    }

    // Scores the rows that `x` has the dense terms of, which are features start, start + 1, ...;
    // calls act(part) for every part. Weights are (n_terms, n_categories) and 16 numbers more.
    template <class Act>
    void multiply(Matrix features, size_t start, Tiles& x, Matrix weights, const double* added,
                  const Act& act) const {
        alignas(64) double scores[group_size * tile_rows];
        std::vector<Step> steps;
        size_t ends[tile_rows + 1] = {};
        for (size_t first = 0; first < x.n_rows; first += tile_rows) {
            const size_t n_rows = std::min(tile_rows, x.n_rows - first);
            steps.clear();
            for (size_t i = 0; i < n_rows; ++i) {
                find_steps(features, start + first + i, steps);
                ends[i + 1] = steps.size();
                for (size_t j = ends[i]; j < ends[i + 1]; ++j) {
                    __builtin_prefetch(weights.row(steps[j].term));
                    double& largest = x.largest[first + i];
                    largest = std::max(largest, std::fabs(steps[j].value));  // passes over NaN
                }
            }
            for (size_t c = 0; c < weights.n_columns; c += group_size) {
                const size_t n = std::min(group_size, weights.n_columns - c);
                run([&](auto) MATSCORE_ALWAYS {
                    for (size_t i = 0; i < n_rows; ++i) {
                        const std::span some{steps.data() + ends[i], ends[i + 1] - ends[i]};
                        for (size_t at = 0; at < n; at += 16)
                            run_row(x.tile(first) + i, some, weights, c + at, n - at, added,
                                    scores + at * tile_rows + i);
                    }
                });
                act(Part{first, n_rows, c, n, scores});
            }
        }
    }

  private:
    template <class Dense, class Act>
    MATSCORE_INLINE void visit(std::span<const Step> steps, const Dense& dense,
                               const Act& act) const {
        size_t slot = 0;
        for (const Step& step : steps) {
            for (; slot < step.slot; ++slot) act(dense(slot), terms_[slot]);
            act(step.value, step.term);
        }
        for (; slot < terms_.size(); ++slot) act(dense(slot), terms_[slot]);
    }

    // The scores of a row for at most 16 of n categories, `first` and the next ones.
    MATSCORE_INLINE void run_row(const double* x, std::span<const Step> steps, Matrix weights,
                                 size_t first, size_t n, const double* added,
                                 double* scores) const {
        const auto run_vectors = [&](auto n_vectors) MATSCORE_ALWAYS {
            Lanes<4> sums[n_vectors] = {}, value, weight;
            const auto add = [&](double number, size_t term) MATSCORE_ALWAYS {
                spread(value, number);
                unroll<n_vectors>([&](auto v) MATSCORE_ALWAYS {
                    load(weight, weights.row(term) + first + 4 * v);
                    add_product(sums[v], value, weight);
                });
            };
            visit(steps, [&](size_t slot) MATSCORE_ALWAYS { return x[slot * tile_rows]; }, add);
            for (size_t c = 0; c < std::min<size_t>(n, 4 * n_vectors); ++c)
                scores[c * tile_rows] = sums[c / 4][c % 4] + added[first + c];
        };
        if (n > 8) run_vectors(std::integral_constant<size_t, 4>{});
        else if (n > 4) run_vectors(std::integral_constant<size_t, 2>{});
        else run_vectors(std::integral_constant<size_t, 1>{});
    }

    size_t n_stored_;
    std::vector<size_t> terms_, rows_, others_;  // dense terms, their stored rows; all other rows
    std::vector<Gather> groups_;
};

}  // namespace matscore
