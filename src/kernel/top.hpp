// The best items for each user: scores are looked at while they are in the first cache, and of each
// user only the pairs are kept that can still be among the first k.
#pragma once

#include "model.hpp"

namespace matscore {

// One pass over the items for some users.
class Search {
  public:
    // Users of shape (n_features, n_users); their norms for the cosine, else none. Of n_items in
    // all, whose largest feature has a size, the first k whose scores reach the least one, without
    // those excluded: user * n_items + item, sorted.
    Search(Matrix users, std::optional<span<const double>> norms, size_t k, double least,
           size_t most_pairs, int64_t n_items, double heaviest, span<const int64_t> excluded)
        : n_features_(users.n_rows), k_(k), least_(least), most_pairs_(most_pairs),
          n_items_(n_items), excluded_(excluded.begin(), excluded.end()), tiles_{n_features_},
          is_cosine_(norms.has_value()), lists_(users.n_columns) {
        const size_t n = lists_.size();
        expect(!norms || norms->size() == n, "users and norms differ in number");
        tiles_.take(users, 0, n);
        limits_.assign(tiles_.largest.size(), infinity);
        norms_.assign(limits_.size(), 1.0);
        if (norms) std::copy(norms->begin(), norms->end(), norms_.begin());
        for (size_t f = 0; f < n_features_; ++f) terms_[f].place = f;
        for (size_t u = 0; u < n; ++u) {
            const double largest = tiles_.largest[u];
            List& list = lists_[u];
            list.is_missing = has_missing(users, u);
            list.reach = is_cosine_ ? 2.5 * unit_ + 4.0 * lost_
                                    : widest_tie(n_features_, largest, heaviest, 0.0);
            n_held_ += list.room = 4 * k_ + 64;
            if (largest > 0.0) limits_[u] = least_;
            may_overflow_ |= !is_cosine_ && !(largest * heaviest *
                                              static_cast<double>(n_features_) < 0x1p1022);
        }
    }

    // Looks at some items. Equal ones are one row, so that a catalog full of copies costs no more
    // than one without: row i is the items places[starts[i]..starts[i + 1]], in order and higher
    // than those before. False where more pairs are within reach of the k-th score than are to be
    // held for so many users.
    bool add(Matrix rows, std::optional<span<const double>> norms,
             span<const int64_t> places, span<const int64_t> starts) {
        expect(rows.n_columns == n_features_ && norms.has_value() == is_cosine_ &&
                   (!norms || norms->size() == rows.n_rows),
               "users and items differ in their features or norms");
        expect(starts.size() == rows.n_rows + 1 && starts.front() >= 0 &&
                   std::is_sorted(starts.begin(), starts.end()) &&
                   starts.back() <= static_cast<int64_t>(places.size()),
               "the places of copies do not fit");
        static constexpr double nothing[group_size] = {};
        for (size_t first = 0; first < rows.n_rows; first += group_size) {
            const size_t n = std::min(group_size, rows.n_rows - first);
            const Matrix some{rows.row(first), n, n_features_};
            multiply_tiles(tiles_, some, nothing, [&](const Part& part) {
                if (norms) divide(part, &(*norms)[first]);
                for (size_t c = 0; c < n; ++c) {
                    const size_t i = first + c;
                    const double* const scores = &part.at(c, 0);
                    if (!look_at(scores, part)) continue;
                    const int64_t* const from = places.data();
                    const span<const int64_t> copies(from + starts[i], from + starts[i + 1]);
                    for (size_t u = 0; u < part.n_rows; ++u)
                        if (scores[u] >= limits_[part.row + u])
                            take_pair(part.row + u, scores[u], rows.row(i), copies,
                                      norms ? (*norms)[i] : 1.0);
                }
            });
        }
        return n_held_ <= most_pairs_ || lists_.size() < 2;
    }

    // What was found, user after user: how many items; the items, their scores, whether they are
    // tied; and the users whose scores overflow.
    auto take() {
        Buffer<int64_t> counts, items, overflow;
        Buffer<double> scores;
        Buffer<uint8_t> tied;
        for (size_t u = 0; u < lists_.size(); ++u) {
            const List& list = lists_[u];
            std::vector<Candidate>& held = lists_[u].held;
            // All items are alike to zeros: the first will do, and one more to see that they tie.
            const bool zeros = tiles_.largest[u] == 0.0 && !list.is_missing && !is_cosine_;
            if (zeros && least_ <= 0.0)
                for (int64_t i = 0; i < n_items_ && held.size() <= k_; ++i)
                    if (!excludes(u, i)) held.push_back({0.0, lost_, i});
            if (list.overflows && !list.is_missing) {
                held.clear();
                overflow.push_back(static_cast<int64_t>(u));
            }
            rank(held, k_);
            held.resize(std::min(held.size(), k_), {});
            counts.push_back(static_cast<int64_t>(held.size()));
            for (const Candidate& candidate : held) {
                items.push_back(candidate.place);
                scores.push_back(candidate.score);
                tied.push_back(candidate.tied);
            }
        }
        return std::tuple(std::move(counts), std::move(items), std::move(scores), std::move(tied),
                          std::move(overflow));
    }

  private:
    struct List {
        std::vector<Candidate> held;
        double reach = 0.0;  // what is further below another never ties with it
        size_t room = 0;
        bool is_missing = false, overflows = false;
    };

    bool excludes(size_t user, int64_t item) const {
        return std::binary_search(excluded_.begin(), excluded_.end(),
                                  static_cast<int64_t>(user) * n_items_ + item);
    }

    // Makes cosines of products: NaN where a norm is 0.
    void divide(const Part& part, const double* norms) const {
        run([&](auto) MATSCORE_ALWAYS {
            const double* const users = &norms_[part.row];
            for (size_t c = 0; c < part.n_categories; ++c)
                for (size_t i = 0; i < tile_rows; ++i) {
                    double cosine = part.at(c, i) / (users[i] * norms[c]);
                    cosine = cosine > 1.0 ? 1.0 : cosine;
                    part.at(c, i) = cosine < -1.0 ? -1.0 : cosine;
                }
        });
    }

    // Whether any of an item's scores reaches its user's limit; marks those that overflow.
    bool look_at(const double* scores, const Part& part) {
        for (size_t i = 0; may_overflow_ && i < part.n_rows; ++i)
            lists_[part.row + i].overflows |= !std::isfinite(scores[i]);
        int64_t n_reached = 0;
        run([&](auto) MATSCORE_ALWAYS {
            const double* const limits = &limits_[part.row];
            for (size_t i = 0; i < tile_rows; ++i) n_reached += scores[i] >= limits[i];
        });
        return n_reached > 0;
    }

    [[gnu::noinline]] void take_pair(size_t user, double score, const double* item,
                                     span<const int64_t> copies, double norm) {
        const double* const from = &tiles_.at(0, user);
        for (size_t f = 0; f < n_features_; ++f) terms_[f].value = from[f * tile_rows];
        double bound = lost_;
        if (is_cosine_) bound += add_sizes(terms_, item, 1) / (norms_[user] * norm) * unit_;
        else bound = bound_error(terms_, item, 1, n_features_, 0.0);
        List& list = lists_[user];
        size_t n_taken = 0;
        for (const int64_t place : copies) {
            if (n_taken > k_) break;
            if (excludes(user, place)) continue;
            ++n_taken;
            list.held.push_back({score, bound, place});
            if (list.held.size() < list.room) continue;
            limits_[user] = std::max(limits_[user], drop_low(list.held, k_, list.reach));
            if (2 * list.held.size() > list.room)
                n_held_ += std::exchange(list.room, 2 * list.room);
        }
    }

    size_t n_features_, k_;
    double least_;
    size_t most_pairs_;  // that are held for more than one user
    int64_t n_items_;
    std::vector<int64_t> excluded_;
    Tiles tiles_;
    bool is_cosine_;
    // For the cosine: gamma of n for the product, as much for the two norms together, and seven
    // roundings for their roots, their product, the division and the bound's own arithmetic.
    double unit_ = rounding_unit(2 * n_features_ + 7);
    double lost_ = static_cast<double>(n_features_) * underflow * (is_cosine_ ? 8.0 : 1.0);
    std::vector<double> limits_, norms_;  // what a user's score must reach to be taken
    std::vector<Term> terms_ = std::vector<Term>(n_features_);  // of a pair
    std::vector<List> lists_;
    bool may_overflow_ = false;
    size_t n_held_ = 0;
};

}  // namespace matscore
