// Terms of which few are active in a row, such as the levels of a text column: they are looked up,
// and never made into columns of zeros.
#pragma once

#include "product.hpp"

namespace matscore {

// Terms of which at most one is active in a row: that of its code, with a stored number or 1.
struct Gather {
    size_t codes;                // a stored row; what is negative there is no code
    int64_t values;              // a stored row; -1: the value is 1
    std::vector<int64_t> terms;  // of each code; -1 none
};

class Gathers {
  public:
    // `dense`: terms, and the stored rows that they are. All is in range, no term in two places.
    Gathers(size_t n_stored, size_t n_terms, std::vector<std::pair<size_t, size_t>> dense,
            std::vector<Gather> groups)
        : n_stored_(n_stored), slots_(n_terms), groups_(std::move(groups)) {
        std::sort(dense.begin(), dense.end());
        std::vector<bool> is_dense(n_stored);
        for (const auto& [term, row] : dense) {
            terms_.push_back(term), rows_.push_back(row);
            is_dense[row] = true;
        }
        for (size_t row = 0; row < n_stored && n_terms > 0; ++row)
            if (!is_dense[row]) others_.push_back(row);
        for (size_t term = 0, slot = 0; term < n_terms; ++term) {
            slots_[term] = static_cast<uint32_t>(slot);
            slot += slot < terms_.size() && terms_[slot] == term;
        }
        order_groups();
    }
    size_t n_stored() const { return n_stored_; }
    size_t n_groups() const { return groups_.size(); }
    const std::vector<size_t>& terms() const { return terms_; }  // the dense ones, in order

    // Whether no code is past the last one of its group.
    bool has_codes(Matrix features) const {
        return std::all_of(groups_.begin(), groups_.end(), [&](const Gather& group) {
            double most = -1.0;
            for (size_t row = 0; row < features.n_columns; ++row)
                most = std::max(most, features.row(group.codes)[row]);
            return most < static_cast<double>(group.terms.size());
        });
    }

    // Takes rows `start` up to start + n: dense terms as features, the others as steps, whose weights
    // are rows of (n_terms, n_categories).
    void take(Matrix features, size_t start, size_t n, Matrix weights, Tiles& x) const {
        x.take(features, start, n, rows_.data());
        x.steps.clear(), x.ends.clear();
        for (size_t first = 0; first < n; first += tile_rows) {
            const auto begin = static_cast<std::ptrdiff_t>(x.steps.size());
            visit(features, start + first, std::min(tile_rows, n - first),
                  [&](uint32_t i, size_t term, double value) {
                      x.steps.push_back({slots_[term], i, value, weights.row(term)});
                      double& largest = x.largest[first + i];
                      largest = std::max(largest, std::fabs(value));  // passes over NaN
                  });
            if (!is_sorted_)
                std::sort(x.steps.begin() + begin, x.steps.end(),
                          [](const Step& a, const Step& b) { return a.weights < b.weights; });
            x.ends.push_back(x.steps.size());
        }
    }

    // Makes a row's terms that may not be zero, each at a place that is its number modulo eight, and
    // between them zeros, of the first term: sizes are added up in eight chains.
    void expand(Matrix features, size_t row, std::vector<double>& x,
                std::vector<size_t>& terms) const {
        std::vector<std::pair<size_t, double>> active;
        for (size_t i = 0; i < terms_.size(); ++i)
            active.emplace_back(terms_[i], features.row(rows_[i])[row]);
        visit(features, row, 1,
              [&](uint32_t, size_t term, double value) { active.emplace_back(term, value); });
        std::sort(active.begin(), active.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        x.clear(), terms.clear();
        for (const auto& [term, value] : active) {
            const size_t place = x.size() + (term - x.size()) % 8;
            x.resize(place), terms.resize(place);
            x.push_back(value), terms.push_back(term);
        }
    }

  private:
    // Calls act(i, term, value) for the active terms of rows start + i, group after group. Where
    // anything is missing the first term is.
    template <class Act>
    void visit(Matrix features, size_t start, size_t n, const Act& act) const {
        for (const size_t row : others_)
            for (uint32_t i = 0; i < n; ++i)
                if (const double value = features.row(row)[start + i]; std::isnan(value))
                    act(i, 0, value);
        for (const Gather& group : groups_)
            for (uint32_t i = 0; i < n; ++i) {
                const double code = features.row(group.codes)[start + i];
                const int64_t term = code >= 0.0 ? group.terms[static_cast<size_t>(code)] : -1;
                if (term < 0) continue;
                const double* const values = group.values < 0 ? nullptr : features.row(group.values);
                act(i, static_cast<size_t>(term), values == nullptr ? 1.0 : values[start + i]);
            }
    }

    // Orders groups by their first terms. Where no other term is between those of a group, the steps
    // of one group after the other are in order.
    void order_groups() {
        const auto span = [](const Gather& group) {
            std::pair<int64_t, int64_t> ends{std::numeric_limits<int64_t>::max(), -1};
            for (const int64_t term : group.terms)
                if (term >= 0) ends = {std::min(ends.first, term), std::max(ends.second, term)};
            return ends;
        };
        std::sort(groups_.begin(), groups_.end(),
                  [&](const Gather& a, const Gather& b) { return span(a) < span(b); });
        int64_t end = -1;
        for (const Gather& group : groups_) {
            const auto [first, last] = span(group);
            if (last < 0) break;  // none of the rest has terms
            is_sorted_ = is_sorted_ && first > end && slots_[first] == slots_[last];
            end = last;
        }
    }

    size_t n_stored_;
    std::vector<size_t> terms_, rows_, others_;  // dense terms, their stored rows; all other rows
    std::vector<uint32_t> slots_;                // of each term: the dense ones before it
    std::vector<Gather> groups_;
    bool is_sorted_ = true;
};

}  // namespace matscore
