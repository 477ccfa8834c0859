// The best items for each user: a tile of scores is looked at while it is in the first cache, and of
// each user only the pairs are kept that can still be among the first k.
#pragma once

#include <memory>
#include <numeric>
#include <optional>

#include "ranking.hpp"

namespace matscore {

enum class Metric { dot, cosine };

// A vector scaled by a power of two, so that its norm neither overflows nor underflows: its largest
// number is from a half to one. The norm is the root of a chain of its squares.
inline double scale_to_norm(double* values, size_t n) {
    int exponent = 0;
    std::frexp(find_largest(values, n), &exponent);
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) {
        values[i] = std::ldexp(values[i], -exponent);
        sum = std::fma(values[i], values[i], sum);
    }
    return std::sqrt(sum);
}

// Up to 1,024 items: the distinct ones in tiles of shape (n_features, 24), each with the places of
// its copies. So a catalog full of copies costs no more than one without.
struct ItemBlock {
    std::vector<double> tiles, norms;     // norms: NaN where there is no item, 1 for the product
    std::vector<int64_t> starts, places;  // of distinct item i: places[starts[i]..starts[i + 1]]
    size_t n_distinct() const { return starts.size() - 1; }
};

class Items {
  public:
    Items(size_t n_features, Metric metric) : n_features_(n_features), metric_(metric) {}

    // Appends rows (n, n_features), finite; the first has the place `size()`.
    void add(Matrix rows) {
        for (size_t start = 0; start < rows.n_rows; start += 1024)
            add_block({rows.row(start), std::min<size_t>(1024, rows.n_rows - start), n_features_});
    }
    size_t size() const { return n_items_; }
    size_t n_features() const { return n_features_; }
    Metric metric() const { return metric_; }
    double largest() const { return largest_; }
    const std::vector<ItemBlock>& blocks() const { return blocks_; }

  private:
    void add_block(Matrix rows) {
        const size_t n_bytes = n_features_ * sizeof(double);
        std::vector<double> values(rows.data, rows.data + rows.n_rows * n_features_), norms(rows.n_rows, 1.0);
        std::vector<size_t> order;
        for (size_t i = 0; i < rows.n_rows; ++i) {
            if (metric_ == Metric::cosine) norms[i] = scale_to_norm(values.data() + i * n_features_, n_features_);
            if (norms[i] > 0.0) order.push_back(i);  // zeros have no cosine
        }
        largest_ = std::max(largest_, find_largest(values.data(), values.size()));
        const auto compare = [&](size_t a, size_t b) {
            return std::memcmp(values.data() + a * n_features_, values.data() + b * n_features_, n_bytes);
        };
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return compare(a, b) < 0; });
        ItemBlock block;
        std::vector<size_t> distinct;
        for (size_t i = 0; i < order.size(); ++i) {
            if (i == 0 || compare(order[i - 1], order[i]) != 0) {
                block.starts.push_back(static_cast<int64_t>(i));
                distinct.push_back(order[i]);
            }
            block.places.push_back(static_cast<int64_t>(n_items_ + order[i]));
        }
        block.starts.push_back(static_cast<int64_t>(order.size()));
        const size_t n_tiles = (distinct.size() + tile_rows - 1) / tile_rows;
        block.tiles.assign(n_tiles * tile_rows * n_features_, 0.0);
        block.norms.assign(n_tiles * tile_rows, std::numeric_limits<double>::quiet_NaN());
        for (size_t i = 0; i < distinct.size(); ++i) {
            double* tile = block.tiles.data() + i / tile_rows * tile_rows * n_features_ + i % tile_rows;
            for (size_t f = 0; f < n_features_; ++f) tile[f * tile_rows] = values[distinct[i] * n_features_ + f];
            block.norms[i] = norms[distinct[i]];
        }
        n_items_ += rows.n_rows;
        blocks_.push_back(std::move(block));
    }

    size_t n_features_;
    Metric metric_;
    size_t n_items_ = 0;
    double largest_ = 0.0;
    std::vector<ItemBlock> blocks_;
};

// More pairs are within reach of the k-th score than are to be held for so many users.
struct TooMany {};

// What one user can still get. At any rank up to k the highest score left is at least the k-th
// highest of all, and what ties with it is at most `reach` below: all under that can go.
class Shortlist {
  public:
    Shortlist(size_t k, double reach) : k_(k), reach_(reach), room_(4 * k + 64) {}

    double limit() const { return limit_; }
    const std::vector<Candidate>& held() const { return held_; }

    // Returns by how much room has grown.
    size_t add(const Candidate& candidate) {
        if (candidate.score < limit_ || is_fenced(candidate)) return 0;
        held_.push_back(candidate);
        if (held_.size() < room_) return 0;
        const size_t before = room_;
        drop_low();
        if (2 * held_.size() > room_) drop_alike();
        if (2 * held_.size() > room_) room_ = 4 * held_.size();
        return room_ - before;
    }

  private:
    void drop_low() {
        const auto kth = held_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
        std::nth_element(held_.begin(), kth, held_.end(),
                         [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
        const double low = std::nextafter(kth->score - reach_, -std::numeric_limits<double>::infinity());
        limit_ = std::max(limit_, low);
        std::erase_if(held_, [&](const Candidate& candidate) { return candidate.score < limit_; });
    }

    // Of pairs with one score and one bound, those after the first k + 1 never get a rank: as long
    // as ranks are left, two before them tie with all that they tie with. The last of k is still
    // seen to be tied.
    void drop_alike() {
        std::sort(held_.begin(), held_.end(), [](const Candidate& a, const Candidate& b) {
            if (a.score != b.score) return a.score > b.score;
            return a.bound != b.bound ? a.bound > b.bound : a.place < b.place;
        });
        size_t n_alike = 0, kept = 0;
        for (size_t i = 0; i < held_.size(); ++i) {
            const Candidate& now = held_[i];
            const bool alike = kept > 0 && held_[kept - 1].score == now.score && held_[kept - 1].bound == now.bound;
            n_alike = alike ? n_alike + 1 : 1;
            if (n_alike > k_ + 1) continue;
            held_[kept++] = now;
            if (n_alike == k_ + 1) fence_ = now;
        }
        held_.resize(kept);
    }

    // The same for pairs behind the last that were found alike, before they are taken in.
    bool is_fenced(const Candidate& candidate) const {
        return fence_ && candidate.score <= fence_->score && candidate.bound <= fence_->bound &&
               candidate.place > fence_->place;
    }

    size_t k_;
    double reach_, limit_ = -std::numeric_limits<double>::infinity();
    size_t room_;
    std::vector<Candidate> held_;
    std::optional<Candidate> fence_;
};

// What is left out: the items of user u are items[starts[u]..starts[u + 1]], sorted.
struct Excluded {
    std::vector<int64_t> starts, items;
    bool has(size_t user, int64_t item) const {
        if (starts.empty()) return false;
        return std::binary_search(items.begin() + starts[user], items.begin() + starts[user + 1], item);
    }
};

// Users who are served together: features (n_features, n_users), NaN where one is missing.
class Users {
  public:
    Users(Matrix features, size_t start, size_t n, const Items& items)
        : n_(n), values_(features.n_rows * n), norms_(n, 1.0), sizes_(n, 0.0), missing_(n, false) {
        std::vector<double> user(features.n_rows);
        for (size_t u = 0; u < n; ++u) {
            for (size_t f = 0; f < user.size(); ++f) user[f] = features.row(f)[start + u];
            missing_[u] = std::any_of(user.begin(), user.end(), [](double x) { return std::isnan(x); });
            if (missing_[u]) std::fill(user.begin(), user.end(), 0.0);
            if (items.metric() == Metric::cosine) norms_[u] = scale_to_norm(user.data(), user.size());
            sizes_[u] = find_largest(user.data(), user.size());
            for (size_t f = 0; f < user.size(); ++f) values_[f * n + u] = user[f];
        }
    }
    size_t size() const { return n_; }
    Matrix features() const { return {values_.data(), values_.size() / std::max<size_t>(n_, 1), n_}; }
    double value(size_t feature, size_t user) const { return values_[feature * n_ + user]; }
    double norm(size_t user) const { return norms_[user]; }
    double size_of(size_t user) const { return sizes_[user]; }  // the largest of its numbers
    bool missing(size_t user) const { return missing_[user]; }

  private:
    size_t n_;
    std::vector<double> values_, norms_, sizes_;
    std::vector<bool> missing_;
};

inline double divide_by_norms(double sum, double user, double item) {
    return std::clamp(sum / (user * item), -1.0, 1.0);
}

// One pass over the items for some users.
class Search {
  public:
    Search(const Items& items, const Users& users, size_t first_user, size_t k,
           std::optional<double> least, const Excluded& excluded, size_t most)
        : items_(items), users_(users), first_user_(first_user), k_(k), excluded_(excluded), panels_(users.features()),
          least_(least.value_or(-std::numeric_limits<double>::infinity())), most_(most),
          limits_(panels_.count() * tile_width, std::numeric_limits<double>::infinity()),
          wary_(limits_.size(), false), overflow_(limits_.size(), false) {
        const double n = static_cast<double>(items.n_features());
        const bool cosine = items.metric() == Metric::cosine;
        // For the cosine: gamma of n for the product, as much for the two norms together, and seven
        // roundings for their roots, their product, the division and the bound's own arithmetic.
        unit_ = rounding_unit(cosine ? 2 * items.n_features() + 7 : items.n_features());
        lost_ = n * underflow * (cosine ? 8.0 : 1.0);
        for (size_t u = 0; u < users.size(); ++u) {
            const double heaviest = users.size_of(u) * items.largest();
            double reach = 2.5 * unit_ + 4.0 * lost_;
            if (!cosine) reach = widest_tie(items.n_features(), users.size_of(u), items.largest(), 0.0);
            lists_.emplace_back(k, reach);
            held_ += 4 * k + 64;
            wary_[u] = !cosine && !(heaviest * n < 0x1p1022);
            if (!users.missing(u) && users.size_of(u) > 0.0) set_limit(u);
        }
    }

    template <int L>
    MATSCORE_INLINE void run() const {
        const_cast<Search*>(this)->visit<L>();
    }

    // The ranks of a user, after the pass.
    std::vector<Rank> rank_user(size_t user) const {
        if (overflow_[user]) return {};
        std::vector<Candidate> candidates = lists_[user].held();
        if (!users_.missing(user) && users_.size_of(user) == 0.0 && items_.metric() == Metric::dot && least_ <= 0.0)
            for (int64_t i = 0; i < static_cast<int64_t>(items_.size()) && candidates.size() <= k_; ++i)
                if (!is_excluded(user, i)) candidates.push_back({0.0, lost_, i});
        return rank(candidates, k_);
    }
    bool overflows(size_t user) const { return overflow_[user]; }

  private:
    template <int L>
    MATSCORE_INLINE void visit() {
        const size_t n_features = items_.n_features();
        double scores[tile_rows * tile_width];
        for (const ItemBlock& block : items_.blocks())
            for (size_t start = 0; start < block.n_distinct(); start += tile_rows) {
                const double* tile = block.tiles.data() + start * n_features;
                const double* norms = block.norms.data() + start;
                for (size_t panel = 0; panel < panels_.count(); ++panel) {
                    const size_t user = panel * tile_width, width = panels_.width(panel);
                    call_tile<L>({tile, tile_rows, panels_.at(panel, 0), panels_.step(), n_features, scores,
                                 tile_rows, true, nullptr}, width);
                    if (is_any_wanted<L>(scores, norms, limits_.data() + user, width)) {
                        for (size_t c = 0; c < width; ++c) take<L>(block, start, user + c, scores + c * tile_rows);
                    }
                    for (size_t c = 0; c < width; ++c)
                        if (wary_[user + c]) find_overflow(scores + c * tile_rows, norms, user + c);
                }
            }
    }

    // Whether a score reaches its user's limit times the item's norm.
    template <int L>
    MATSCORE_INLINE bool is_any_wanted(const double* scores, const double* norms, const double* limits,
                                       size_t width) const {
        Lanes<L> most = -1.0 - Lanes<L>{};
        for (size_t c = 0; c < width; ++c)
            for (size_t i = 0; i < tile_rows; i += L) {
                Lanes<L> score, norm;
                load(score, scores + c * tile_rows + i);
                load(norm, norms + i);
                const Lanes<L> ahead = score - norm * limits[c];
                most = ahead > most ? ahead : most;
            }
        bool any = false;
        for (size_t i = 0; i < L; ++i) any |= most[i] >= 0.0;
        return any;
    }

    template <int L>
    MATSCORE_INLINE void take(const ItemBlock& block, size_t start, size_t user, const double* scores) {
        bool any = false;
        for (size_t i = 0; i < tile_rows; ++i) any |= scores[i] >= block.norms[start + i] * limits_[user];
        if (!any) return;
        double sums[tile_rows];
        add_sizes<L>(block.tiles.data() + start * items_.n_features(), user, 1.0, sums);
        for (size_t i = 0; i < tile_rows; ++i)
            if (scores[i] >= block.norms[start + i] * limits_[user])
                take_pair(block, start + i, user, scores[i], sums[i]);
        set_limit(user);
    }

    void take_pair(const ItemBlock& block, size_t distinct, size_t user, double score, double sum) {
        score += 0.0;  // no score is -0
        double bound = sum * unit_ + lost_;
        if (items_.metric() == Metric::cosine) {
            score = divide_by_norms(score, users_.norm(user), block.norms[distinct]);
            bound = sum / (users_.norm(user) * block.norms[distinct]) * unit_ + lost_;
        } else if (std::isinf(sum)) {  // finite terms, whose sum is not
            int exponent = 0;
            std::frexp(static_cast<double>(items_.n_features() + 1), &exponent);
            const double scale = std::ldexp(1.0, -exponent);
            double shrunk[tile_rows];
            const double* tile = block.tiles.data() + distinct / tile_rows * tile_rows * items_.n_features();
            add_sizes<1>(tile, user, scale, shrunk);
            bound = shrunk[distinct % tile_rows] * (unit_ / scale) + lost_;
        }
        if (score < least_) return;
        size_t n_taken = 0;
        for (auto i = block.starts[distinct]; i < block.starts[distinct + 1] && n_taken <= k_; ++i) {
            const int64_t place = block.places[static_cast<size_t>(i)];
            if (is_excluded(user, place)) continue;
            held_ += lists_[user].add({score, bound, place});
            ++n_taken;
        }
        if (held_ > most_ && users_.size() > 1) throw TooMany{};
    }

    bool is_excluded(size_t user, int64_t item) const { return excluded_.has(first_user_ + user, item); }

    // Chains of the sizes of a tile's terms for one user: sum = fma(|item|, |user|, sum).
    template <int L>
    MATSCORE_INLINE void add_sizes(const double* tile, size_t user, double scale, double* to) const {
        for (size_t i = 0; i < tile_rows; i += L) {
            Lanes<L> sum = {}, value, size;
            for (size_t f = 0; f < items_.n_features(); ++f) {
                load(value, tile + f * tile_rows + i);
                const double other = std::fabs(users_.value(f, user)) * scale;
                spread(size, other);
                add_product(sum, value < 0.0 ? -value : value, size);
            }
            store(to + i, sum);
        }
    }

    // The limit of sums, before they are divided by the norms, rounded down.
    void set_limit(size_t user) {
        const double limit = std::max(lists_[user].limit(), least_);
        limits_[user] = limit;
        if (items_.metric() == Metric::dot) return;
        const double sum = limit * users_.norm(user);
        limits_[user] = limit <= -1.0 ? -std::numeric_limits<double>::infinity()
                                      : sum - std::fabs(sum) * 0x1p-50 - 0x1p-1000;
    }

    void find_overflow(const double* scores, const double* norms, size_t user) {
        for (size_t i = 0; i < tile_rows; ++i)
            if (norms[i] == 1.0 && !std::isfinite(scores[i])) overflow_[user] = true;
    }

    const Items& items_;
    const Users& users_;
    size_t first_user_, k_;
    const Excluded& excluded_;
    Panels panels_;
    double least_;
    size_t most_, held_ = 0;
    double unit_ = 0.0, lost_ = 0.0;
    std::vector<double> limits_;
    std::vector<bool> wary_, overflow_;
    std::vector<Shortlist> lists_;
};

struct Recommended {
    std::vector<int64_t> counts, items;
    std::vector<double> scores;
    std::vector<uint8_t> tied;
    std::vector<int64_t> overflow;
};

// The best items for users `start` up to `stop`, appended: in halves where too many pairs tie.
inline void recommend(const Items& items, Matrix features, size_t start, size_t stop, size_t k,
                      std::optional<double> least, const Excluded& excluded, size_t most, Recommended& to) {
    const Users users(features, start, stop - start, items);
    try {
        Search search(items, users, start, k, least, excluded, most);
        run(search);
        for (size_t u = 0; u < users.size(); ++u) {
            const std::vector<Rank> ranks = search.rank_user(u);
            to.counts.push_back(static_cast<int64_t>(ranks.size()));
            if (search.overflows(u)) to.overflow.push_back(static_cast<int64_t>(start + u));
            for (const Rank& rank : ranks) {
                to.items.push_back(rank.candidate.place);
                to.scores.push_back(rank.candidate.score);
                to.tied.push_back(rank.tied);
            }
        }
        return;
    } catch (const TooMany&) {
    }
    const size_t middle = start + (stop - start) / 2;
    recommend(items, features, start, middle, k, least, excluded, most, to);
    recommend(items, features, middle, stop, k, least, excluded, most, to);
}

// The scores of all items for each user, (n_users, n_items); NaN where there is none.
struct ItemScores {
    const Items& items;
    const Users& users;
    const Panels& panels;
    double* scores;

    template <int L>
    MATSCORE_INLINE void run() const {
        double some[tile_rows * tile_width];
        std::fill_n(scores, users.size() * items.size(), std::numeric_limits<double>::quiet_NaN());
        for (const ItemBlock& block : items.blocks())
            for (size_t start = 0; start < block.n_distinct(); start += tile_rows)
                for (size_t panel = 0; panel < panels.count(); ++panel) {
                    const size_t width = panels.width(panel);
                    call_tile<L>({block.tiles.data() + start * items.n_features(), tile_rows, panels.at(panel, 0),
                                 panels.step(), items.n_features(), some, tile_rows, true, nullptr}, width);
                    for (size_t c = 0; c < width; ++c)
                        put(block, start, panel * tile_width + c, some + c * tile_rows);
                }
    }

  private:
    void put(const ItemBlock& block, size_t start, size_t user, const double* some) const {
        if (users.missing(user)) return;
        for (size_t i = start; i < std::min(start + tile_rows, block.n_distinct()); ++i) {
            double score = some[i - start] + 0.0;
            if (items.metric() == Metric::cosine)
                score = divide_by_norms(score, users.norm(user), block.norms[i]);
            for (auto copy = block.starts[i]; copy < block.starts[i + 1]; ++copy)
                scores[user * items.size() + static_cast<size_t>(block.places[static_cast<size_t>(copy)])] = score;
        }
    }
};

inline void score_items(const Items& items, Matrix features, double* scores) {
    const Users users(features, 0, features.n_columns, items);
    const Panels panels(users.features());
    run(ItemScores{items, users, panels, scores});
}

}  // namespace matscore
