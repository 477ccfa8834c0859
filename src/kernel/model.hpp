// A linear model: the scores of rows, the best category of each, what is tied with it and by how
// much it is ahead.
#pragma once

#include <optional>

#include "product.hpp"

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

// Scores of rows, (n_categories, n_rows), if they are kept, and what they decide, each (n_rows,).
struct Scored {
    Buffer<double> scores;
    Buffer<int64_t> best;     // the first of those tied with the highest; -1: scores are missing
    Buffer<double> margin;    // highest less second; 0 for a tie, NaN for missing or one category
    Buffer<uint8_t> tied;
    Buffer<uint8_t> overflow; // a score that is not finite though no feature is missing
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
    // Weights of shape (n_features, n_categories); an intercept of as many as categories; with
    // gathers, how many rows are stored.
    Model(Matrix weights, span<const double> intercept, size_t n_stored,
          const std::vector<Gather>& gathers)
        : n_features_(weights.n_rows), packed_(weights.data, weights.row(n_features_)),
          added_(weights.n_columns, 0.0), heaviest_(find_largest(packed_)),
          heaviest_added_(find_largest(intercept)) {
        if (!gathers.empty()) gathers_.emplace(n_stored, n_features_, gathers);
        expect(intercept.size() == n_categories(), "the intercept is not one number a category");
        packed_.resize(packed_.size() + 16);
        for (size_t f = 0; !gathers_ && f < n_features_; ++f)
            for (size_t c = 0; c < n_categories(); ++c)
                packed_[c * n_features_ + f] = weights.row(f)[c];
        for (size_t c = 0; c < intercept.size(); ++c) added_[c] += intercept[c];
    }

    // Scores rows, a block that fits the second cache at a time, and decides.
    Scored score(Matrix features, bool keep) const {
        check(features);
        const size_t n = features.n_columns;
        Scored to{Buffer<double>(keep ? n_categories() * n : 0), Buffer<int64_t>(n),
                  Buffer<double>(n), Buffer<uint8_t>(n), Buffer<uint8_t>(n)};
        Tiles x{n_features_};
        std::vector<Bests> bests;
        std::vector<double> room;  // for the scores of a block that are not kept
        const size_t fit = 65536 / std::max<size_t>(features.n_rows, 1) / tile_rows;
        const size_t most = std::clamp<size_t>(fit, 1, 32) * tile_rows;
        for (size_t start = 0; start < n; start += most) {
            const size_t n_here = std::min(most, n - start), stride = keep ? n : n_here;
            bests.resize((n_here + tile_rows - 1) / tile_rows);
            if (!keep) room.resize(n_categories() * n_here);
            double* const block = keep ? to.scores.data() + start : room.data();
            const auto take = [&](const Part& part) {
                double* to_row = block + part.category * stride + part.row;
                for (size_t c = 0; c < part.n_categories; ++c, to_row += stride)
                    std::copy_n(&part.at(c, 0), part.n_rows, to_row);
                bests[part.row / tile_rows].add(part);
            };
            double largest = 0.0;
            if (gathers_) {
                largest = multiply_rows(features, start, n_here, take);
            } else {
                x.take(features, start, n_here);
                multiply_tiles(x, weights(), added_.data(), take);
                largest = find_largest(x.largest);
            }
            const double most_reach = reach(largest);
            for (size_t i = 0; i < n_here; ++i)
                decide(features, start + i, bests[i / tile_rows], most_reach, block + i, stride,
                       to);
        }
        return to;
    }

    // Ranks the categories of rows by their scores. One that is NaN or minus infinity has no rank.
    // Returns the first ones of each row, -1 where nothing is left, and whether they are tied.
    std::pair<Buffer<int64_t>, Buffer<uint8_t>> rank(Matrix features, Matrix scores,
                                                     size_t k) const {
        check(features);
        const size_t n = features.n_columns;
        expect(scores.n_rows == n_categories() && scores.n_columns == n,
               "the scores are not one a category and row");
        k = std::min(k, n_categories());
        Buffer<int64_t> places(n * k, -1);
        Buffer<uint8_t> tied(n * k, 0);
        for (size_t row = 0; row < n; ++row) {
            const std::vector<Candidate>& left = rank_row(features, row, scores.data + row, n, k);
            for (size_t i = 0; i < std::min(k, left.size()); ++i) {
                places[row * k + i] = left[i].place;
                tied[row * k + i] = left[i].tied;
            }
        }
        return {std::move(places), std::move(tied)};
    }

    // Bounds the errors of scores, (n_categories, n_rows).
    Buffer<double> bound_scores(Matrix features) const {
        check(features);
        Buffer<double> bounds(n_categories() * features.n_columns);
        std::vector<Term> room;
        for (size_t row = 0; row < features.n_columns; ++row) {
            const span<const Term> x = take_terms(features, row, room);
            for (size_t c = 0; c < n_categories(); ++c)
                bounds[c * features.n_columns + row] = bound(x, c);
        }
        return bounds;
    }

  private:
    size_t n_categories() const { return added_.size(); }
    Matrix weights() const {
        if (gathers_) return {packed_.data(), n_features_, n_categories()};
        return {packed_.data(), n_categories(), n_features_};
    }
    void check(Matrix features) const {
        expect(features.n_rows == (gathers_ ? gathers_->n_stored() : n_features_),
               "features and weights differ in the number of features");
    }

    // Multiplies rows with gathers, as multiply_tiles does; returns the size of their largest term.
    template <class Act>
    double multiply_rows(Matrix features, size_t start, size_t n, const Act& act) const {
        std::vector<Term> room;
        double largest = 0.0;
        std::vector<double> scores(n_categories() * tile_rows);
        for (size_t row = 0; row < n; row += tile_rows) {
            const size_t height = std::min(tile_rows, n - row);
            for (size_t i = 0; i < height; ++i) {
                const span<const Term> x = gathers_->take(features, start + row + i, room);
                largest = std::max(largest, find_largest(x));
                multiply_row(x, weights(), added_.data(), scores.data() + i);
            }
            for (size_t c = 0; c < n_categories(); c += group_size)
                act(Part{row, height, c, std::min(group_size, n_categories() - c),
                         &scores[c * tile_rows]});
        }
        return largest;
    }

    span<const Term> take_terms(Matrix features, size_t row, std::vector<Term>& room) const {
        if (gathers_) return gathers_->take(features, row, room);
        room.resize(n_features_);
        for (size_t f = 0; f < n_features_; ++f) room[f] = {f, features.row(f)[row]};
        return room;
    }
    double bound(span<const Term> x, size_t category) const {
        const double* const w = gathers_ ? &packed_[category] : weights().row(category);
        const size_t step = gathers_ ? n_categories() : 1;
        return bound_error(x, w, step, n_features_, added_[category]);
    }

    // What is no further below a row's highest score may tie with it.
    double reach(double largest) const {
        return widest_tie(n_features_, largest, heaviest_, heaviest_added_);
    }

    // The candidates of a row whose scores are so far apart, the first k ranks first. Good until
    // the thread's next call.
    const std::vector<Candidate>& rank_row(Matrix features, size_t row, const double* scores,
                                           size_t stride, size_t k) const {
        thread_local std::vector<Term> room;  // kept, as memory for each row would take longer
        thread_local std::vector<Candidate> left;
        const span<const Term> x = take_terms(features, row, room);
        left.clear();
        for (size_t c = 0; c < n_categories(); ++c, scores += stride)
            if (*scores > -infinity) left.push_back({*scores, 0.0, static_cast<int64_t>(c)});
        const double most = reach(find_largest(x));
        drop_low(left, k, most);
        std::sort(left.begin(), left.end(), is_higher);
        const auto is_close = [&](const Candidate& a, const Candidate& b) {
            return !(a.score - b.score > most);
        };
        if (std::adjacent_find(left.begin(), left.end(), is_close) != left.end())
            for (Candidate& one : left) one.bound = bound(x, static_cast<size_t>(one.place));
        matscore::rank(left, k);
        return left;
    }

    // Decides a row; what is ahead by more than `most_reach` is no tie.
    void decide(Matrix features, size_t row, const Bests& found, double most_reach,
                const double* scores, size_t stride, Scored& to) const {
        const size_t at = row % tile_rows;
        const bool odd = std::isnan(found.odd[at]), missing = odd && has_missing(features, row);
        double& margin = to.margin[row] = found.highest[at] - found.second[at];
        if (missing || n_categories() < 2) margin = std::numeric_limits<double>::quiet_NaN();
        to.best[row] = missing ? -1 : static_cast<int64_t>(found.best[at]) - 1;
        to.tied[row] = false;
        to.overflow[row] = odd && !missing;
        if (odd || std::isnan(margin) || margin > most_reach) return;
        const std::vector<Candidate>& left = rank_row(features, row, scores, stride, 1);
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
