// The tie rule. Two scores tie where they differ by no more than the sum of their error bounds.
// Again and again, of what is left the highest score is taken; what ties with it is tied, and the
// first of the tied in order gets the next rank. So the first k ranks do not depend on k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "product.hpp"

namespace matscore {

struct Candidate {
    double score, bound;
    int64_t place;  // in the order that settles ties
};

struct Rank {
    Candidate candidate;
    bool tied;  // at its rank or before it was tied with the highest
};

// How far two scores can be apart and still tie, at most: for screening, so a little larger.
inline double widest_tie(size_t n_features, double largest, double heaviest, double intercept) {
    const double n = static_cast<double>(n_features);
    const double unit = 2.5 * rounding_unit(n_features);
    return (largest * unit) * (heaviest * n) + intercept * unit + 4.0 * n * underflow;
}

inline double find_largest(const double* values, size_t n) {
    double largest = 0.0;
    for (size_t i = 0; i < n; ++i) {
        const double size = std::fabs(values[i]);
        largest = size > largest ? size : largest;  // passes over NaN
    }
    return largest;
}

inline bool is_tie(const Candidate& higher, const Candidate& lower) {
    return higher.score - lower.score <= higher.bound + lower.bound;
}

// The rule itself, within a run of candidates sorted by score, until k are ranked: slow where the
// run is long, and right whatever ties with whatever.
inline void rank_one_by_one(std::vector<Candidate> left, size_t k, std::vector<Rank>& ranks) {
    std::vector<bool> marks(left.size(), false), gone(left.size(), false);
    double widest = 0.0;
    for (const Candidate& candidate : left) widest = std::max(widest, candidate.bound);
    size_t top = 0;
    for (size_t n = left.size(); n > 0 && ranks.size() < k; --n) {
        while (gone[top]) ++top;
        size_t chosen = top, n_tied = 0;
        const auto visit = [&](auto&& act) {
            for (size_t i = top; i < left.size(); ++i) {
                if (!(left[top].score - left[i].score <= left[top].bound + widest)) break;
                if (!gone[i] && is_tie(left[top], left[i])) act(i);
            }
        };
        visit([&](size_t i) {
            ++n_tied;
            if (left[i].place < left[chosen].place) chosen = i;
        });
        if (n_tied > 1) visit([&](size_t i) { marks[i] = true; });
        ranks.push_back({left[chosen], marks[chosen]});
        gone[chosen] = true;
    }
}

// The first k ranks. Sorted scores fall into runs, such that nothing ties across them. Where in a
// run all tie with all, the order settles everything.
inline std::vector<Rank> rank(std::vector<Candidate>& candidates, size_t k) {
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return a.score != b.score ? a.score > b.score : a.place < b.place;
    });
    double widest = 0.0;
    for (const Candidate& candidate : candidates) widest = std::max(widest, candidate.bound);
    std::vector<Rank> ranks;
    ranks.reserve(std::min(k, candidates.size()));
    for (auto start = candidates.begin(); start != candidates.end() && ranks.size() < k;) {
        auto stop = start + 1;
        double least = start->bound;
        for (; stop != candidates.end() && (stop - 1)->score - stop->score <= 2.0 * widest; ++stop)
            least = std::min(least, stop->bound);
        if (start->score - (stop - 1)->score <= 2.0 * least || stop - start == 1) {
            const bool tied = stop - start > 1;
            std::sort(start, stop, [](const Candidate& a, const Candidate& b) { return a.place < b.place; });
            for (auto it = start; it != stop && ranks.size() < k; ++it) ranks.push_back({*it, tied});
        } else {
            rank_one_by_one({start, stop}, k, ranks);
        }
        start = stop;
    }
    return ranks;
}

// Error bounds of some rows: gathers their features, calls act(place among rows, bounds, step) for
// each, where the bound of category c is bounds[c * step].
template <class Act>
void bound_rows(Matrix features, Matrix weights, const double* intercept,
                const std::vector<size_t>& rows, const Act& act) {
    constexpr size_t most_cells = size_t{1} << 20;
    const size_t size = std::max(features.n_rows, weights.n_columns);
    const size_t height = std::clamp<size_t>(most_cells / std::max<size_t>(size, 1), tile_rows, 4096);
    std::vector<double> some, bounds;
    for (size_t start = 0; start < rows.size(); start += height) {
        const size_t n = std::min(height, rows.size() - start);
        some.resize(features.n_rows * n);
        bounds.resize(weights.n_columns * n);
        for (size_t f = 0; f < features.n_rows; ++f)
            for (size_t i = 0; i < n; ++i) some[f * n + i] = features.row(f)[rows[start + i]];
        bound_errors({some.data(), features.n_rows, n}, weights, intercept, bounds.data());
        for (size_t i = 0; i < n; ++i) act(start + i, bounds.data() + i, n);
    }
}

// Ranks the categories of scored rows; `scores` (n_categories, n_rows), of which NaN and minus
// infinity have no rank. `places` and `tied` (n_rows, k), k at most the number of categories; -1
// where nothing is left.
inline void rank_categories(Matrix scores, Matrix features, Matrix weights, const double* intercept,
                            size_t k, int64_t* places, bool* tied) {
    const size_t n_categories = scores.n_rows, n_rows = scores.n_columns;
    const double heaviest = find_largest(weights.data, weights.n_rows * weights.n_columns);
    const double added = intercept == nullptr ? 0.0 : find_largest(intercept, n_categories);
    std::vector<Candidate> candidates;
    const auto collect = [&](size_t row, const double* bounds, size_t step) {
        candidates.clear();
        for (size_t c = 0; c < n_categories; ++c) {
            const double score = scores.row(c)[row];
            if (score > -std::numeric_limits<double>::infinity())
                candidates.push_back({score, bounds == nullptr ? 0.0 : bounds[c * step], static_cast<int64_t>(c)});
        }
    };
    const auto put = [&](size_t row, const std::vector<Rank>& ranks) {
        for (size_t i = 0; i < k; ++i) {
            places[row * k + i] = i < ranks.size() ? ranks[i].candidate.place : -1;
            tied[row * k + i] = i < ranks.size() && ranks[i].tied;
        }
    };
    std::vector<size_t> close;
    for (size_t row = 0; row < n_rows; ++row) {
        double largest = 0.0;
        for (size_t f = 0; f < features.n_rows; ++f)
            largest = std::max(largest, find_largest(features.row(f) + row, 1));
        const double widest = widest_tie(features.n_rows, largest, heaviest, added);
        collect(row, nullptr, 0);
        const size_t n = std::min(k + 1, candidates.size());
        std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(n),
                          candidates.end(), [](const Candidate& a, const Candidate& b) {
                              return a.score != b.score ? a.score > b.score : a.place < b.place;
                          });
        bool is_close = false;
        for (size_t i = 0; i + 1 < n; ++i)
            is_close |= candidates[i].score - candidates[i + 1].score <= widest;
        if (is_close) {
            close.push_back(row);
            continue;
        }
        std::vector<Rank> ranks;
        for (size_t i = 0; i < std::min(n, k); ++i) ranks.push_back({candidates[i], false});
        put(row, ranks);
    }
    bound_rows(features, weights, intercept, close, [&](size_t i, const double* bounds, size_t step) {
        collect(close[i], bounds, step);
        put(close[i], rank(candidates, k));
    });
}

}  // namespace matscore
