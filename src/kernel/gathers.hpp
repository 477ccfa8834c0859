// Terms of which few are active in a row, such as the levels of a text column: they are looked up,
// and never made into columns of zeros.
#pragma once

#include <numeric>
#include <optional>

#include "product.hpp"

namespace matscore {

// Terms of which at most one is active in a row: that of its code, with a stored number or 1.
struct Gather {
    static constexpr uint32_t none = UINT32_MAX;
    struct Target {
        uint32_t term, slot = 0;  // or none; how many dense terms come before it
    };
    size_t codes = 0;              // a stored row; what is negative there is no code
    std::optional<size_t> values;  // a stored row; without it the value is 1
    std::vector<Target> targets;   // of each code
    Target first{none}, last{0};   // the least and the greatest of them
};

class Gathers {
  public:
    // `dense`: terms, and the stored rows that they are. All is in range, no term in two places.
    Gathers(size_t n_stored, size_t n_terms, std::vector<std::pair<size_t, size_t>> dense,
            std::vector<Gather> groups)
        : n_stored_(n_stored), n_terms_(n_terms), groups_(std::move(groups)) {
        std::sort(dense.begin(), dense.end());
        std::vector<bool> is_dense(n_stored, n_terms == 0);
        for (const auto& [term, row] : dense) {
            terms_.push_back(term), rows_.push_back(row);
            is_dense[row] = true;
        }
        for (size_t row = 0; row < n_stored; ++row)
            if (!is_dense[row]) others_.push_back(row);
        order_groups();
    }
    size_t n_stored() const { return n_stored_; }
    size_t n_groups() const { return groups_.size(); }
    const std::vector<size_t>& terms() const { return terms_; }  // the dense ones, in order

    // Whether no code is past the last one of its group.
    bool has_codes(Matrix features) const {
        return std::all_of(groups_.begin(), groups_.end(), [&](const Gather& group) {
            const double* const codes = features.row(group.codes);
            double most = -1.0;
            for (size_t row = 0; row < features.n_columns; ++row) most = std::max(most, codes[row]);
            return most < static_cast<double>(group.targets.size());
        });
    }

    // Takes rows `start` up to start + n: dense terms as features, the others as steps.
    void take(Matrix features, size_t start, size_t n, Tiles& x) const {
        x.take(features, start, n, rows_.data());
        x.steps.clear(), x.ends.clear();
        for (size_t first = 0; first < n; first += tile_rows) {
            const size_t begin = x.steps.size();
            visit(features, start + first, std::min(tile_rows, n - first),
                  [&](uint32_t i, uint32_t term, uint32_t slot, double value) {
                      __builtin_prefetch(x.terms.row(term));
                      x.steps.push_back({value, term, slot, i});
                      double& largest = x.largest[first + i];
                      largest = std::max(largest, std::fabs(value));  // passes over NaN
                  });
            if (!is_sorted_) sort({x.steps.data() + begin, x.steps.size() - begin});
            x.ends.push_back(x.steps.size());
        }
    }

    // Makes a row's terms that may not be zero, each at a place that is its number modulo eight,
    // with zeros of the first term between: sizes are added up in eight chains.
    void expand(Matrix features, size_t row, std::vector<double>& x,
                std::vector<size_t>& terms) const {
        std::vector<std::pair<size_t, double>> active;
        for (size_t i = 0; i < terms_.size(); ++i)
            active.emplace_back(terms_[i], features.row(rows_[i])[row]);
        visit(features, row, 1, [&](uint32_t, uint32_t term, uint32_t, double value) {
            active.emplace_back(term, value);
        });
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
    // Calls act(i, term, slot, value) for the active terms of rows start + i, group after group.
    // Where anything is missing the first term is.
    template <class Act>
    void visit(Matrix features, size_t start, size_t n, const Act& act) const {
        for (const size_t row : others_)
            for (uint32_t i = 0; i < n; ++i)
                if (const double value = features.row(row)[start + i]; std::isnan(value))
                    act(i, 0, 0, value);
        for (const Gather& group : groups_) {
            const double* const codes = features.row(group.codes) + start;
            const double* const values = features.row(group.values.value_or(0)) + start;
            for (uint32_t i = 0; i < n; ++i) {
                if (!(codes[i] >= 0.0)) continue;
                const auto [term, slot] = group.targets[static_cast<size_t>(codes[i])];
                if (term != Gather::none) act(i, term, slot, group.values ? values[i] : 1.0);
            }
        }
    }

    // Sorts steps by their terms: by the lowest byte, then the next one.
    void sort(std::span<Step> steps) const {
        thread_local std::vector<Step> room;
        room.resize(steps.size());
        for (int shift = 0; n_terms_ >> shift != 0; shift += 8) {
            const auto digit = [&](const Step& step) { return step.term >> shift & 255; };
            size_t places[257] = {};
            for (const Step& step : steps) ++places[digit(step) + 1];
            std::partial_sum(places, places + 257, places);
            for (const Step& step : steps) room[places[digit(step)]++] = step;
            std::copy(room.begin(), room.end(), steps.begin());
        }
    }

    // Counts slots, and orders groups by their first terms. Where no other term is between those of
    // a group, the steps of one group after the other are in order.
    void order_groups() {
        for (Gather& group : groups_)
            for (Gather::Target& target : group.targets) {
                if (target.term == Gather::none) continue;
                const auto place = std::lower_bound(terms_.begin(), terms_.end(), target.term);
                target.slot = static_cast<uint32_t>(place - terms_.begin());
                if (target.term < group.first.term) group.first = target;
                if (target.term >= group.last.term) group.last = target;
            }
        std::sort(groups_.begin(), groups_.end(), [](const Gather& a, const Gather& b) {
            return a.first.term < b.first.term;
        });
        for (size_t i = 0; i < groups_.size(); ++i) {
            is_sorted_ = is_sorted_ && groups_[i].first.slot == groups_[i].last.slot;
            is_sorted_ = is_sorted_ && (i == 0 || groups_[i - 1].last.term < groups_[i].first.term);
        }
    }

    size_t n_stored_, n_terms_;
    std::vector<size_t> terms_, rows_, others_;  // dense terms, their stored rows; all other rows
    std::vector<Gather> groups_;
    bool is_sorted_ = true;
};

}  // namespace matscore
