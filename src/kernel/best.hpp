// The best category of each row, what is tied with it and by how much it is ahead.
#pragma once

#include "ranking.hpp"

namespace matscore {

// What the scores of rows decide, each (n_rows,).
struct Decision {
    int64_t* best;    // the first of those tied with the highest; -1 where scores are missing
    double* margin;   // highest less second; 0 for a tie, NaN for missing scores or one category
    bool* tied;
    bool* overflow;   // a score that is not finite though no feature is missing
};

// The highest and second score of some rows and the first category of the highest; `odd` is NaN
// where a score is not finite. A NaN score never wins.
struct Bests {
    double highest[block_rows], second[block_rows], best[block_rows], odd[block_rows];

    void clear() {
        std::fill_n(highest, block_rows, -std::numeric_limits<double>::infinity());
        std::fill_n(second, block_rows, -std::numeric_limits<double>::infinity());
        std::fill_n(best, block_rows, -1.0);
        std::fill_n(odd, block_rows, 0.0);
    }
    // L rows from the i-th on. All is taken and put by value: the rows stay in the first cache.
    template <int L>
    MATSCORE_INLINE void add(size_t i, const double* scores, size_t category) {
        Lanes<L> score, top, next, first, mark;
        load(score, scores + i);
        load(top, highest + i);
        load(next, second + i);
        load(first, best + i);
        load(mark, odd + i);
        const auto wins = score > top;  // an equal one does not: the first stays
        const Lanes<L> other = wins ? top : score;
        store(second + i, other > next ? other : next);
        store(highest + i, wins ? score : top);
        store(best + i, wins ? static_cast<double>(category) - Lanes<L>{} : first);
        store(odd + i, mark + (score - score));
    }
};

// The scores of rows, and their decisions but for ties: the rows that are close are collected.
struct Scoring {
    Matrix features;
    const Panels& panels;
    const std::vector<double>& intercept;
    double* scores;  // computed here, unless `has_scores`
    bool has_scores;
    double slope, base;  // what is closer than slope * largest feature + base may tie
    Decision decision;
    std::vector<size_t>& close;

    template <int L>
    MATSCORE_INLINE void run() const {
        const size_t n_rows = features.n_columns, n_categories = intercept.size();
        std::vector<double> sizes(n_rows, 0.0);
        Bests bests;
        for (size_t start = 0; start < n_rows; start += block_rows) {
            const size_t n = std::min(block_rows, n_rows - start);
            bests.clear();
            const auto add = [&](size_t category, size_t width, size_t row, size_t height) MATSCORE_INLINE_LAMBDA {
                for (size_t c = category; c < category + width; ++c) {
                    const double* some = scores + c * n_rows + row;
                    size_t i = 0;
                    for (; i + L <= height; i += L) bests.add<L>(i, some, c);
                    for (; i < height; ++i) bests.add<1>(i, some, c);
                }
            };
            if (has_scores) {
                measure_rows(features, start, n, 0, features.n_rows, sizes.data());
                add(0, n_categories, start, n);
            } else {
                const Product product{features, panels, intercept, scores, start, start + n, sizes.data()};
                product.template run<L>(add);
            }
            for (size_t i = 0; i < n; ++i) settle(bests, i, start + i, sizes[start + i]);
        }
    }

  private:
    void settle(const Bests& bests, size_t i, size_t row, double size) const {
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        const bool alone = intercept.size() == 1;
        decision.best[row] = static_cast<int64_t>(bests.best[i]);
        decision.margin[row] = alone ? nan : bests.highest[i] - bests.second[i];
        decision.tied[row] = decision.overflow[row] = false;
        if (bests.odd[i] != bests.odd[i]) {
            bool missing = false;
            for (size_t f = 0; f < features.n_rows; ++f) missing |= std::isnan(features.row(f)[row]);
            decision.overflow[row] = !missing;
            if (missing) decision.best[row] = -1, decision.margin[row] = nan;
        } else if (decision.margin[row] <= slope * size + base) {
            close.push_back(row);
        }
    }
};

// Marks the categories that tie with the highest score of a row, itself among them.
template <class Act>
void mark_ties(Matrix scores, size_t row, const double* bounds, size_t step, const Act& act) {
    size_t top = scores.n_rows;
    for (size_t c = 0; c < scores.n_rows; ++c) {
        const double score = scores.row(c)[row];
        if (std::isnan(score)) return;
        if (top == scores.n_rows || score > scores.row(top)[row]) top = c;
    }
    if (top == scores.n_rows) return;
    const Candidate highest{scores.row(top)[row], bounds[top * step], 0};
    for (size_t c = 0; c < scores.n_rows; ++c)
        if (is_tie(highest, {scores.row(c)[row], bounds[c * step], 0})) act(c);
}

// Scores rows (see `multiply`), unless they are scored, and decides.
inline void decide(Matrix features, Matrix weights, const double* intercept, double* scores,
                   bool has_scores, Decision decision) {
    const size_t n_rows = features.n_columns, n_categories = weights.n_columns;
    if (!has_scores && n_rows <= tile_width) {
        multiply(features, weights, intercept, scores);
        has_scores = true;
    }
    const std::vector<double> filled = fill_intercept(intercept, n_categories);
    const double heaviest = find_largest(weights.data, weights.n_rows * n_categories);
    const double added = find_largest(filled.data(), n_categories);
    const double slope = widest_tie(weights.n_rows, 1.0, heaviest, 0.0);
    const double base = widest_tie(weights.n_rows, 0.0, heaviest, added);
    std::vector<size_t> close;
    const Panels panels(has_scores ? Matrix{weights.data, weights.n_rows, 0} : weights);
    run(Scoring{features, panels, filled, scores, has_scores, slope, base, decision, close});
    const Matrix whole{scores, n_categories, n_rows};
    bound_rows(features, weights, intercept, close, [&](size_t i, const double* bounds, size_t step) {
        const size_t row = close[i];
        size_t n_tied = 0, first = n_categories;
        mark_ties(whole, row, bounds, step, [&](size_t c) {
            first = std::min(first, c);
            ++n_tied;
        });
        decision.best[row] = static_cast<int64_t>(first);
        decision.tied[row] = n_tied > 1;
        if (n_tied > 1) decision.margin[row] = 0.0;
    });
}

// The marks of some scored rows, (n_categories, n_rows): the highest, and what ties with it.
inline void tied_cells(Matrix scores, Matrix features, Matrix weights, const double* intercept,
                       bool* cells) {
    std::fill_n(cells, scores.n_rows * scores.n_columns, false);
    std::vector<double> bounds(scores.n_rows * scores.n_columns);
    bound_errors(features, weights, intercept, bounds.data());
    for (size_t row = 0; row < scores.n_columns; ++row)
        mark_ties(scores, row, bounds.data() + row, scores.n_columns,
                  [&](size_t c) { cells[c * scores.n_columns + row] = true; });
}

}  // namespace matscore
