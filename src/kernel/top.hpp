// The best items for each user: scores are looked at while they are in the first cache, and of each
// user only the pairs are kept that can still be among the first k.
#pragma once

#include "model.hpp"

namespace matscore {

// Some items. Equal ones are here once, so that a catalog full of copies costs no more than one
// without: row i is the items first + order[starts[i]..starts[i + 1]], or first + i without starts.
struct Items {
    Matrix rows;          // (n, n_features), finite
    const double* norms;  // (n,); null for the product
    int64_t first;
    const int64_t *order, *starts;

    template <class Act>
    void visit_copies(size_t row, const Act& act) const {
        if (starts == nullptr) return act(first + static_cast<int64_t>(row));
        for (int64_t i = starts[row]; i < starts[row + 1]; ++i) act(first + order[i]);
    }
};

struct Wish {
    size_t k;
    double least;                   // what a score must reach
    size_t most_pairs;              // that are held for more than one user
    int64_t n_items;                // of which there are in all
    double largest;                 // the size of their largest feature
    std::vector<int64_t> excluded;  // user * n_items + item, sorted
    bool excludes(size_t user, int64_t item) const {
        return std::binary_search(excluded.begin(), excluded.end(),
                                  static_cast<int64_t>(user) * n_items + item);
    }
};

struct Recommended {
    std::vector<int64_t> counts, items, overflow;  // overflow: users whose scores do
    std::vector<double> scores;
    std::vector<uint8_t> tied;
};

// One pass over the items for some users.
class Search {
  public:
    // Features are of shape (n_features, n_users); with their norms for the cosine.
    Search(Matrix features, const double* norms, Wish wish)
        : n_features_(features.n_rows), wish_(std::move(wish)), tiles_{n_features_},
          is_cosine_(norms != nullptr), lists_(features.n_columns) {
        const size_t n = lists_.size();
        tiles_.take(features, 0, n);
        limits_.assign(tiles_.largest.size(), infinity);
        norms_.assign(limits_.size(), 1.0);
        if (is_cosine_) std::copy_n(norms, n, norms_.begin());
        for (size_t u = 0; u < n; ++u) {
            const double largest = tiles_.largest[u];
            List& list = lists_[u];
            list.is_missing = has_missing(features, u);
            list.reach = is_cosine_ ? 2.5 * unit_ + 4.0 * lost_
                                    : widest_tie(n_features_, largest, wish_.largest, 0.0);
            n_held_ += list.room = 4 * wish_.k + 64;
            if (largest > 0.0) limits_[u] = wish_.least;
            may_overflow_ |= !is_cosine_ && !(largest * wish_.largest *
                                              static_cast<double>(n_features_) < 0x1p1022);
        }
    }
    size_t n_features() const { return n_features_; }
    bool is_cosine() const { return is_cosine_; }

    // Looks at some items, whose places are higher than those before; false where more pairs are
    // within reach of the k-th score than are to be held for so many users.
    bool add(const Items& items) {
        static constexpr double nothing[group_size] = {};
        for (size_t i = 0; i < items.rows.n_rows; i += group_size) {
            const size_t n = std::min(group_size, items.rows.n_rows - i);
            const Matrix rows{items.rows.row(i), n, n_features_};
            multiply_tiles(tiles_, rows, nothing, [&](const Part& part) {
                if (is_cosine_) divide(part, items.norms + i);
                for (size_t c = 0; c < n; ++c) look_at(items, i + c, &part.at(c, 0), part);
            });
        }
        return n_held_ <= wish_.most_pairs || lists_.size() < 2;
    }

    // What was found.
    Recommended take() {
        Recommended to;
        for (size_t u = 0; u < lists_.size(); ++u) {
            const List& list = lists_[u];
            std::vector<Candidate>& held = lists_[u].held;
            // All items are alike to zeros: the first will do, and one more to see that they tie.
            const bool zeros = tiles_.largest[u] == 0.0 && !list.is_missing && !is_cosine_;
            if (zeros && wish_.least <= 0.0)
                for (int64_t i = 0; i < wish_.n_items && held.size() <= wish_.k; ++i)
                    if (!wish_.excludes(u, i)) held.push_back({0.0, lost_, i});
            if (list.overflows && !list.is_missing) {
                held.clear();
                to.overflow.push_back(static_cast<int64_t>(u));
            }
            rank(held, wish_.k);
            held.resize(std::min(held.size(), wish_.k), {});
            to.counts.push_back(static_cast<int64_t>(held.size()));
            for (const Candidate& candidate : held) {
                to.items.push_back(candidate.place);
                to.scores.push_back(candidate.score);
                to.tied.push_back(candidate.tied);
            }
        }
        return to;
    }

  private:
    struct List {
        std::vector<Candidate> held;
        double reach = 0.0;  // what is further below another never ties with it
        size_t room = 0;
        bool is_missing = false, overflows = false;
    };

    // Makes cosines of products: NaN where a norm is 0.
    void divide(const Part& part, const double* norms) const {
        run([&](auto lanes) MATSCORE_ALWAYS {
            const Lanes<lanes> one = 1.0 - Lanes<lanes>{};
            Lanes<lanes> cosine, norm;
            for (size_t c = 0; c < part.n_categories; ++c)
                for (size_t i = 0; i < tile_rows; i += lanes) {
                    load(cosine, &part.at(c, i)), load(norm, &norms_[part.row + i]);
                    cosine /= norm * norms[c];
                    cosine = cosine > one ? one : cosine;
                    store(&part.at(c, i), cosine < -one ? -one : cosine);
                }
        });
    }

    // Takes the scores of an item and a tile of users that reach their limits.
    void look_at(const Items& items, size_t item, const double* scores, const Part& part) {
        for (size_t i = 0; may_overflow_ && i < part.n_rows; ++i)
            lists_[part.row + i].overflows |= !std::isfinite(scores[i]);
        bool any = false;
        const double* const limits = &limits_[part.row];
        run([&](auto lanes) MATSCORE_ALWAYS {
            Lanes<lanes> limit, score, most = -1.0 - Lanes<lanes>{};
            for (size_t i = 0; i < tile_rows; i += lanes) {
                load(limit, limits + i), load(score, scores + i);
                const Lanes<lanes> ahead = score - limit;
                most = ahead > most ? ahead : most;
            }
            for (size_t i = 0; i < lanes; ++i) any |= most[i] >= 0.0;
        });
        for (size_t i = 0; any && i < part.n_rows; ++i)
            if (scores[i] >= limits[i]) take_pair(items, item, part.row + i, scores[i]);
    }

    void take_pair(const Items& items, size_t item, size_t user, double score) {
        std::vector<double> x(n_features_);
        for (size_t f = 0; f < n_features_; ++f) x[f] = tiles_.at(f, user);
        const Terms terms{x, items.rows.row(item)};
        double bound = lost_;
        if (is_cosine_) bound += add_sizes(terms) / (norms_[user] * items.norms[item]) * unit_;
        else bound = bound_error(terms, n_features_, 0.0);
        List& list = lists_[user];
        size_t n_taken = 0;
        items.visit_copies(item, [&](int64_t place) {
            if (n_taken > wish_.k || wish_.excludes(user, place)) return;
            ++n_taken;
            list.held.push_back({score, bound, place});
            if (list.held.size() < list.room) return;
            limits_[user] = std::max(limits_[user], drop_low(list.held, wish_.k, list.reach));
            if (2 * list.held.size() > list.room)
                n_held_ += std::exchange(list.room, 2 * list.room);
        });
    }

    size_t n_features_;
    Wish wish_;
    Tiles tiles_;
    bool is_cosine_;
    // For the cosine: gamma of n for the product, as much for the two norms together, and seven
    // roundings for their roots, their product, the division and the bound's own arithmetic.
    double unit_ = rounding_unit(2 * n_features_ + 7);
    double lost_ = static_cast<double>(n_features_) * underflow * (is_cosine_ ? 8.0 : 1.0);
    std::vector<double> limits_, norms_;  // what a user's score must reach to be taken
    std::vector<List> lists_;
    bool may_overflow_ = false;
    size_t n_held_ = 0;
};

}  // namespace matscore
