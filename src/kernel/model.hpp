// A linear model: the scores of rows, the best category of each, what is tied with it and by how
// much it is ahead.
#pragma once

#include "product.hpp"
#include "ranking.hpp"

namespace matscore {

// What the scores of rows decide, each (n_rows,).
struct Decision {
    int64_t* best;    // the first of those tied with the highest; -1 where scores are missing
    double* margin;   // highest less second; 0 for a tie, NaN for missing scores or one category
    bool* tied;
    bool* overflow;   // a score that is not finite though no feature is missing
};

inline bool has_missing(Matrix features, size_t row) {
    const std::vector<double> x = column(features, row);
    return std::any_of(x.begin(), x.end(), [](double value) { return std::isnan(value); });
}

// The highest and second score of a tile's rows and the first category of the highest; `odd` is NaN
// where a score is not finite. A NaN score never wins.
struct Bests {
    double highest[tile_rows], second[tile_rows], best[tile_rows], odd[tile_rows];

    Bests() {
        std::fill_n(highest, tile_rows, -std::numeric_limits<double>::infinity());
        std::fill_n(second, tile_rows, -std::numeric_limits<double>::infinity());
        std::fill_n(best, tile_rows, -1.0);
        std::fill_n(odd, tile_rows, 0.0);
    }
    void add(const Part& part) {
        run([&](auto lanes) MATSCORE_ALWAYS {
            for (size_t i = 0; i < tile_rows; i += lanes) {
                Lanes<lanes> score, top, next, first, mark;
                load(top, highest + i), load(next, second + i), load(first, best + i), load(mark, odd + i);
                for (size_t c = 0; c < part.n_categories; ++c) {
                    load(score, part.scores + c * tile_rows + i);
                    const auto wins = score > top;  // an equal one does not: the first stays
                    const Lanes<lanes> other = wins ? top : score;
                    next = other > next ? other : next;
                    top = wins ? score : top;
                    first = wins ? static_cast<double>(part.category + c) - Lanes<lanes>{} : first;
                    mark += score - score;
                }
                store(highest + i, top), store(second + i, next), store(best + i, first), store(odd + i, mark);
            }
        });
    }
};

// Weights (n_categories, n_features) and an intercept, packed once for all threads.
class Model {
  public:
    // Weights of shape (n_features, n_categories); an intercept, if any, of as many as categories.
    Model(Matrix weights, const double* intercept)
        : n_features_(weights.n_rows), packed_(weights.n_rows * weights.n_columns), added_(weights.n_columns, 0.0),
          heaviest_(find_largest(weights.data, packed_.size())) {
        for (size_t f = 0; f < n_features_; ++f)
            for (size_t c = 0; c < added_.size(); ++c) packed_[c * n_features_ + f] = weights.row(f)[c];
        for (size_t c = 0; intercept != nullptr && c < added_.size(); ++c) added_[c] += intercept[c];
        heaviest_added_ = find_largest(added_.data(), added_.size());
    }
    size_t n_features() const { return n_features_; }
    size_t n_categories() const { return added_.size(); }

    // Scores rows and decides; `scores` (n_categories, n_rows) is null where only that is wanted.
    void score(Matrix features, double* scores, const Decision& to) const {
        std::vector<size_t> close;  // rows whose highest score may tie
        std::vector<Bests> bests;
        const auto add = [&](const Part& part) {
            bests.resize(std::max(bests.size(), part.row / tile_rows + 1));
            bests[part.row / tile_rows].add(part);
        };
        visit(features, scores, add, [&](const Tiles& x, size_t start) {
            for (size_t i = 0; i < x.n_rows; ++i) {
                constexpr double nan = std::numeric_limits<double>::quiet_NaN();
                const Bests& found = bests[i / tile_rows];
                const size_t row = start + i, at = i % tile_rows;
                const bool odd = std::isnan(found.odd[at]), missing = odd && has_missing(features, row);
                to.best[row] = missing ? -1 : static_cast<int64_t>(found.best[at]);
                to.margin[row] = missing || n_categories() == 1 ? nan : found.highest[at] - found.second[at];
                to.tied[row] = false;
                to.overflow[row] = odd && !missing;
                if (!odd && to.margin[row] <= reach(x.largest[i])) close.push_back(row);
            }
            bests.clear();
        });
        settle(features, close, to);
    }

    // Ranks the categories of scored rows: act(row, candidates) with the first k ranks in front. A
    // score that is NaN or minus infinity has none.
    template <class Act>
    void rank_rows(Matrix features, Matrix scores, size_t k, const Act& act) const {
        std::vector<Candidate> left;
        for (size_t row = 0; row < features.n_columns; ++row) {
            const std::vector<double> x = column(features, row);
            left.clear();
            for (size_t c = 0; c < n_categories(); ++c)
                if (scores.row(c)[row] > -std::numeric_limits<double>::infinity())
                    left.push_back({scores.row(c)[row], 0.0, static_cast<int64_t>(c)});
            const double most = reach(find_largest(x.data(), n_features_));
            drop_low(left, k, most);
            std::sort(left.begin(), left.end(), is_higher);
            const auto is_close = [&](const Candidate& a, const Candidate& b) { return !(a.score - b.score > most); };
            if (std::adjacent_find(left.begin(), left.end(), is_close) != left.end())
                for (Candidate& candidate : left) candidate.bound = bound(x.data(), static_cast<size_t>(candidate.place));
            rank(left, k);
            act(row, left);
        }
    }

    // Bounds the error of the score of a row of n_features for a category.
    double bound(const double* x, size_t category) const {
        return bound_error(x, packed_.data() + category * n_features_, n_features_, added_[category]);
    }

  private:
    // Calls act(part) for each part of a block of rows that fits the second cache, then done(rows,
    // first row). The scores are stored, too, if `scores` is not null.
    template <class Act, class Done>
    void visit(Matrix features, double* scores, const Act& act, const Done& done) const {
        Tiles x{n_features_};
        const size_t n = features.n_columns, fit = 65536 / std::max<size_t>(n_features_, 1);
        const size_t most = std::clamp<size_t>(fit / tile_rows, 1, 170) * tile_rows;
        for (size_t start = 0; start < n; start += most) {
            x.take(features, start, std::min(most, n - start));
            multiply_tiles(x, {packed_.data(), n_categories(), n_features_}, added_.data(), [&](const Part& part) {
                for (size_t c = 0; scores != nullptr && c < part.n_categories; ++c)
                    std::copy_n(&part.at(c, 0), part.n_rows, scores + (part.category + c) * n + start + part.row);
                act(part);
            });
            done(x, start);
        }
    }
    // What is no further below a row's highest score may tie with it.
    double reach(double largest) const { return widest_tie(n_features_, largest, heaviest_, heaviest_added_); }

    // Decides close rows, which are scored once more, some at a time.
    void settle(Matrix features, const std::vector<size_t>& close, const Decision& to) const {
        std::vector<double> some, scores;
        for (size_t start = 0; start < close.size(); start += tile_rows) {
            const size_t n = std::min(tile_rows, close.size() - start);
            some.resize(n_features_ * n);
            scores.resize(n_categories() * n);
            for (size_t f = 0; f < n_features_; ++f)
                for (size_t i = 0; i < n; ++i) some[f * n + i] = features.row(f)[close[start + i]];
            const Matrix rows{some.data(), n_features_, n};
            visit(rows, scores.data(), [](const Part&) {}, [](const Tiles&, size_t) {});
            rank_rows(rows, {scores.data(), n_categories(), n}, 1, [&](size_t i, const std::vector<Candidate>& left) {
                const size_t row = close[start + i];
                to.best[row] = left[0].place;
                to.tied[row] = left[0].tied;
                if (left[0].tied) to.margin[row] = 0.0;
            });
        }
    }

    size_t n_features_;
    std::vector<double> packed_, added_;
    double heaviest_, heaviest_added_;
};

}  // namespace matscore
