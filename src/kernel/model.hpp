// A linear model: the scores of rows, the best category of each, what is tied with it and by how
// much it is ahead.
#pragma once

#include "gathers.hpp"

namespace matscore {

// The tie rule. Two scores tie where they differ by no more than the sum of their error bounds.
// Again and again, of what is left the highest score is taken; what ties with it is tied, and the
// first of the tied in order gets the next rank. So the first k ranks do not depend on k.
struct Candidate {
    double score, bound;
    int64_t place;      // in the order that settles ties
    bool tied = false;  // at a rank so far it was tied with the highest
};

inline bool is_higher(const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.place < b.place;
}

// Drops what cannot have one of the first k ranks; returns what a score must reach. At any of them
// the highest score left is at least the k-th highest of all, and what ties with it is at most
// `reach` below.
inline double drop_low(std::vector<Candidate>& left, size_t k, double reach) {
    if (left.size() <= k) return -infinity;
    const auto kth = left.begin() + static_cast<std::ptrdiff_t>(k) - 1;
    std::nth_element(left.begin(), kth, left.end(), is_higher);
    const double limit = std::nextafter(kth->score - reach, -infinity);
    std::erase_if(left, [&](const Candidate& candidate) { return candidate.score < limit; });
    return limit;
}

// Puts the first k ranks first. If that is one, those tied with the highest are marked.
inline void rank(std::vector<Candidate>& left, size_t k) {
    std::sort(left.begin(), left.end(), is_higher);
    double widest = 0.0;
    for (const Candidate& candidate : left) widest = std::max(widest, candidate.bound);
    auto start = left.begin();
    while (start != left.end() && start - left.begin() < static_cast<std::ptrdiff_t>(k)) {
        auto stop = start + 1;  // of what may tie with the highest
        double least = start->bound;
        for (; stop != left.end() && start->score - stop->score <= 2.0 * widest; ++stop)
            least = std::min(least, stop->bound);
        const bool ends = stop == left.end() || (stop - 1)->score - stop->score > 2.0 * widest;
        if (ends && (stop - start == 1 || start->score - (stop - 1)->score <= 2.0 * least)) {
            // All tie with all, and with nothing else: the order settles everything.
            const bool tied = stop - start > 1;
            std::sort(start, stop,
                      [](const Candidate& a, const Candidate& b) { return a.place < b.place; });
            for (; start != stop; ++start) start->tied |= tied;
            continue;
        }
        auto chosen = start;
        const Candidate highest = *start;
        for (auto it = start + 1; it != stop; ++it) {
            if (!(highest.score - it->score <= highest.bound + it->bound)) continue;
            it->tied = start->tied = true;
            if (it->place < chosen->place) chosen = it;
        }
        std::rotate(start, chosen, chosen + 1);  // the others stay sorted
        ++start;
    }
}

// What the scores of rows decide, each (n_rows,).
struct Decision {
    int64_t* best;    // the first of those tied with the highest; -1 where scores are missing
    double* margin;   // highest less second; 0 for a tie, NaN for missing scores or one category
    bool* tied;
    bool* overflow;   // a score that is not finite though no feature is missing
};

// The scores of a row, one for each category, so far apart.
struct Scores {
    const double* first;
    size_t stride;
    double operator[](size_t category) const { return first[category * stride]; }
};

inline bool has_missing(Matrix features, size_t row) {
    bool is_missing = false;
    for (size_t f = 0; f < features.n_rows; ++f) is_missing |= std::isnan(features.row(f)[row]);
    return is_missing;
}

// The highest and second score of a tile's rows and the first category of the highest, from 1;
// `odd` is NaN where a score is not finite. A NaN score never wins.
struct Bests {
    double highest[tile_rows], second[tile_rows], best[tile_rows], odd[tile_rows];

    void add(const Part& part) {
        run([&](auto lanes) MATSCORE_ALWAYS {
            for (size_t i = 0; i < tile_rows; i += lanes) {
                Lanes<lanes> score, mark{}, top = mark - infinity, next = top, first{};
                if (part.category > 0) {
                    load(top, highest + i), load(next, second + i);
                    load(first, best + i), load(mark, odd + i);
                }
                Lanes<lanes> number = static_cast<double>(part.category) - Lanes<lanes>{};
                for (size_t c = 0; c < part.n_categories; ++c) {
                    load(score, part.scores + c * tile_rows + i);
                    number += 1.0;
                    const auto wins = score > top;  // an equal one does not: the first stays
                    const Lanes<lanes> other = wins ? top : score;
                    next = other > next ? other : next;
                    top = wins ? score : top;
                    first = wins ? number : first;
                    mark += score - score;
                }
                store(highest + i, top), store(second + i, next);
                store(best + i, first), store(odd + i, mark);
            }
        });
    }
};

// Weights and an intercept, packed once for all threads: category after category, or with gathers
// term after term.
class Model {
  public:
    // Weights of shape (n_features, n_categories); an intercept, if any, of as many as categories.
    Model(Matrix weights, const double* intercept, std::optional<Gathers> gathers = {})
        : n_features_(weights.n_rows), packed_(weights.data, weights.row(n_features_)),
          added_(weights.n_columns, 0.0), gathers_(std::move(gathers)),
          heaviest_(find_largest(packed_.data(), packed_.size())) {
        packed_.resize(packed_.size() + 16);
        for (size_t f = 0; !gathers_ && f < n_features_; ++f)
            for (size_t c = 0; c < n_categories(); ++c)
                packed_[c * n_features_ + f] = weights.row(f)[c];
        for (size_t c = 0; intercept != nullptr && c < n_categories(); ++c)
            added_[c] += intercept[c];
        heaviest_added_ = find_largest(added_.data(), added_.size());
    }
    // Rows of the features that are given.
    size_t n_stored() const { return gathers_ ? gathers_->n_stored() : n_features_; }
    size_t n_categories() const { return added_.size(); }

    // Scores rows, a block that fits the second cache at a time, and decides; `scores`
    // (n_categories, n_rows) is null where only that is wanted.
    void score(Matrix features, double* scores, const Decision& to) const {
        Tiles x{n_features_};
        std::vector<Bests> bests;
        std::vector<double> room;  // for the scores of a block that are not kept
        const size_t n = features.n_columns;
        const size_t fit = 65536 / std::max<size_t>(features.n_rows, 1) / tile_rows;
        const size_t most = std::clamp<size_t>(fit, 1, 32) * tile_rows;
        for (size_t start = 0; start < n; start += most) {
            const size_t n_here = std::min(most, n - start);
            bests.resize((n_here + tile_rows - 1) / tile_rows);
            if (scores == nullptr) room.resize(n_categories() * n_here);
            double* const block = scores == nullptr ? room.data() : scores + start;
            const size_t stride = scores == nullptr ? n_here : n;
            const auto keep = [&](const Part& part) {
                double* to_row = block + part.category * stride + part.row;
                for (size_t c = 0; c < part.n_categories; ++c, to_row += stride)
                    std::copy_n(&part.at(c, 0), part.n_rows, to_row);
                bests[part.row / tile_rows].add(part);
            };
            double largest = 0.0;
            if (gathers_) {
                largest = multiply_rows(features, start, n_here, keep);
            } else {
                x.take(features, start, n_here);
                multiply_tiles(x, weights(), added_.data(), keep);
                largest = find_largest(x.largest.data(), n_here);
            }
            const double most_reach = reach(largest);
            for (size_t i = 0; i < n_here; ++i)
                decide(features, start + i, bests[i / tile_rows], most_reach, {block + i, stride},
                       to);
        }
    }

    // Ranks the categories of a row by its scores: the first k ranks come first. A score that is
    // NaN or minus infinity has none. Good until the thread's next call.
    const std::vector<Candidate>& rank_row(Matrix features, size_t row, Scores scores,
                                           size_t k) const {
        thread_local RowTerms x;  // kept, as memory for each row would take longer
        thread_local std::vector<Candidate> left;
        take_terms(features, row, x);
        left.clear();
        for (size_t c = 0; c < n_categories(); ++c)
            if (scores[c] > -infinity) left.push_back({scores[c], 0.0, static_cast<int64_t>(c)});
        const double most = reach(find_largest(x.values.data(), x.values.size()));
        drop_low(left, k, most);
        std::sort(left.begin(), left.end(), is_higher);
        const auto is_close = [&](const Candidate& a, const Candidate& b) {
            return !(a.score - b.score > most);
        };
        if (std::adjacent_find(left.begin(), left.end(), is_close) != left.end())
            for (Candidate& one : left) one.bound = bound(x, static_cast<size_t>(one.place));
        rank(left, k);
        return left;
    }

    // Bounds the errors of a row's scores.
    std::vector<double> bound_scores(Matrix features, size_t row) const {
        RowTerms x;
        take_terms(features, row, x);
        std::vector<double> bounds(n_categories());
        for (size_t c = 0; c < bounds.size(); ++c) bounds[c] = bound(x, c);
        return bounds;
    }

  private:
    Matrix weights() const {
        if (gathers_) return {packed_.data(), n_features_, n_categories()};
        return {packed_.data(), n_categories(), n_features_};
    }

    // Multiplies rows with gathers, as multiply_tiles does; returns the size of their largest term.
    template <class Act>
    double multiply_rows(Matrix features, size_t start, size_t n, const Act& act) const {
        RowTerms x;
        double largest = 0.0;
        std::vector<double> scores(n_categories() * tile_rows);
        for (size_t row = 0; row < n; row += tile_rows) {
            const size_t height = std::min(tile_rows, n - row);
            for (size_t i = 0; i < height; ++i) {
                gathers_->take(features, start + row + i, x);
                largest = std::max(largest, find_largest(x.values.data(), x.values.size()));
                multiply_row(x, weights(), added_.data(), scores.data() + i);
            }
            for (size_t c = 0; c < n_categories(); c += group_size)
                act(Part{row, height, c, std::min(group_size, n_categories() - c),
                         &scores[c * tile_rows]});
        }
        return largest;
    }

    void take_terms(Matrix features, size_t row, RowTerms& x) const {
        if (gathers_) return gathers_->take(features, row, x);
        x.values.resize(n_features_);
        for (size_t f = 0; f < n_features_; ++f) x.values[f] = features.row(f)[row];
    }
    double bound(const RowTerms& x, size_t category) const {
        const double* w = weights().row(category);
        thread_local std::vector<double> gathered;
        if (gathers_) {
            gathered.clear();
            for (const size_t term : x.places) gathered.push_back(weights().row(term)[category]);
            w = gathered.data();
        }
        const size_t* const places = gathers_ ? x.places.data() : nullptr;
        return bound_error({x.values, w, places}, n_features_, added_[category]);
    }

    // What is no further below a row's highest score may tie with it.
    double reach(double largest) const {
        return widest_tie(n_features_, largest, heaviest_, heaviest_added_);
    }

    // Decides a row; what is ahead by more than `most_reach` is no tie.
    void decide(Matrix features, size_t row, const Bests& found, double most_reach, Scores scores,
                const Decision& to) const {
        const size_t at = row % tile_rows;
        const bool odd = std::isnan(found.odd[at]), missing = odd && has_missing(features, row);
        double& margin = to.margin[row] = found.highest[at] - found.second[at];
        if (missing || n_categories() < 2) margin = std::numeric_limits<double>::quiet_NaN();
        to.best[row] = missing ? -1 : static_cast<int64_t>(found.best[at]) - 1;
        to.tied[row] = false;
        to.overflow[row] = odd && !missing;
        if (odd || std::isnan(margin) || margin > most_reach) return;
        const std::vector<Candidate>& left = rank_row(features, row, scores, 1);
        to.best[row] = left[0].place;
        to.tied[row] = left[0].tied;
        if (left[0].tied) margin = 0.0;
    }

    size_t n_features_;
    std::vector<double> packed_, added_;
    std::optional<Gathers> gathers_;
    double heaviest_, heaviest_added_;
};

}  // namespace matscore
