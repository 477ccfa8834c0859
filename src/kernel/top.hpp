// The best items for each user: scores are looked at while they are in the first cache, and of each
// user only the pairs are kept that can still be among the first k.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <numeric>
#include <optional>
#include <system_error>

#include "model.hpp"

namespace matscore {

// Calls move(fd, bytes, size, offset), which is pread or pwrite, until all numbers are moved. A
// temporary file is read and not mapped: a mapped file's pages count as this process's memory.
template <class Number, class Move>
void move_numbers(int fd, Number* values, size_t n, size_t offset, const Move& move) {
    for (size_t at = 0; at < n * sizeof(double);) {
        const ssize_t size = move(fd, reinterpret_cast<char*>(const_cast<double*>(values)) + at,
                                  n * sizeof(double) - at, static_cast<off_t>(offset + at));
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) throw std::system_error(size < 0 ? errno : EIO, std::generic_category());
        at += static_cast<size_t>(size);
    }
}

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

// Up to 1,024 items, of which equal ones are held once: so a catalog full of copies costs no more
// than one without.
struct ItemBlock {
    size_t first, offset;             // its first item; where rows are in the file, if any
    std::vector<double> rows, norms;  // of distinct items; norms: 1 for the product
    // Distinct item i is the items first + order[starts[i]..starts[i + 1]].
    std::vector<uint32_t> order, starts;
    size_t n_distinct() const { return norms.size(); }
    template <class Act>
    void visit_copies(size_t distinct, const Act& act) const {
        for (uint32_t i = starts[distinct]; i < starts[distinct + 1]; ++i) act(order[i]);
    }
};

class Items {
  public:
    // Rows are held in the file that is open as `spill`, if any, and not in memory.
    Items(size_t n_features, bool cosine, int spill = -1)
        : n_features_(n_features), cosine_(cosine), spill_(spill) {}

    // Appends rows (n, n_features), finite; the first has the place `size()`.
    void add(Matrix rows) {
        for (size_t start = 0; start < rows.n_rows; start += 1024)
            add_block({rows.row(start), std::min<size_t>(1024, rows.n_rows - start), n_features_});
    }
    size_t size() const { return n_items_; }
    size_t n_features() const { return n_features_; }
    bool cosine() const { return cosine_; }
    double largest() const { return largest_; }
    const std::vector<ItemBlock>& blocks() const { return blocks_; }
    // The distinct rows of a block, in `room` where they are spilled.
    Matrix rows(const ItemBlock& block, std::vector<double>& room) const {
        if (spill_ < 0) return {block.rows.data(), block.n_distinct(), n_features_};
        room.resize(block.n_distinct() * n_features_);
        move_numbers(spill_, room.data(), room.size(), block.offset, ::pread);
        return {room.data(), block.n_distinct(), n_features_};
    }
    // The items of a block as they were added, (n, n_features), but for the scale of the cosine.
    void unpack(const ItemBlock& block, double* to) const {
        std::vector<double> room;
        const Matrix held = rows(block, room);
        for (size_t i = 0; i < block.n_distinct(); ++i)
            block.visit_copies(i, [&](size_t copy) {
                std::copy_n(held.row(i), n_features_, to + copy * n_features_);
            });
    }

  private:
    void add_block(Matrix rows) {
        std::vector<double> values(rows.data, rows.row(rows.n_rows));
        const auto at = [&](size_t i) { return values.data() + i * n_features_; };
        ItemBlock block{n_items_, n_spilled_, {}, {}, std::vector<uint32_t>(rows.n_rows), {}};
        std::vector<double> norms(rows.n_rows, 1.0);
        for (size_t i = 0; cosine_ && i < rows.n_rows; ++i)
            norms[i] = scale_to_norm(at(i), n_features_);
        largest_ = std::max(largest_, find_largest(values.data(), values.size()));
        const auto compare = [&](size_t a, size_t b) {
            return std::memcmp(at(a), at(b), n_features_ * sizeof(double));
        };
        auto& order = block.order;
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return compare(a, b) < 0; });
        for (uint32_t i = 0; i < rows.n_rows; ++i) {
            if (i > 0 && compare(order[i - 1], order[i]) == 0) continue;
            block.starts.push_back(i);
            block.norms.push_back(norms[order[i]]);
            block.rows.insert(block.rows.end(), at(order[i]), at(order[i]) + n_features_);
        }
        block.starts.push_back(static_cast<uint32_t>(rows.n_rows));
        if (spill_ >= 0) {
            move_numbers(spill_, block.rows.data(), block.rows.size(), n_spilled_, ::pwrite);
            n_spilled_ += block.rows.size() * sizeof(double);
            block.rows = std::vector<double>();
        }
        block.rows.shrink_to_fit();
        n_items_ += rows.n_rows;
        blocks_.push_back(std::move(block));
    }

    size_t n_features_;
    bool cosine_;
    int spill_;
    size_t n_items_ = 0, n_spilled_ = 0;
    double largest_ = 0.0;
    std::vector<ItemBlock> blocks_;
};

// Users `first` up to first + n of features (n_features, n_users), and norms, 1 for the product.
struct Users {
    Tiles tiles;
    std::vector<double> norms;

    Users(const Items& items, Matrix features, size_t first, size_t n) : tiles{items.n_features()} {
        tiles.take(features, first, n);
        norms.assign(tiles.largest.size(), 1.0);
        for (size_t u = 0; items.cosine() && u < n; ++u) {
            std::vector<double> user = row(u);
            norms[u] = scale_to_norm(user.data(), user.size());
            for (size_t f = 0; f < user.size(); ++f) tiles.at(f, u) = user[f];
        }
    }
    std::vector<double> row(size_t user) {
        std::vector<double> values(tiles.n_features);
        for (size_t f = 0; f < values.size(); ++f) values[f] = tiles.at(f, user);
        return values;
    }
    // Makes cosines of products: NaN where a norm is 0.
    void divide(const Part& part, const double* item_norms) const {
        run([&](auto lanes) MATSCORE_ALWAYS {
            const Lanes<lanes> one = 1.0 - Lanes<lanes>{};
            Lanes<lanes> cosine, norm;
            for (size_t c = 0; c < part.n_categories; ++c)
                for (size_t i = 0; i < tile_rows; i += lanes) {
                    load(cosine, &part.at(c, i)), load(norm, &norms[part.row + i]);
                    cosine /= norm * item_norms[c];
                    cosine = cosine > one ? one : cosine;
                    store(&part.at(c, i), cosine < -one ? -one : cosine);
                }
        });
    }
    // Calls act(block, its rows, part) for all scores.
    template <class Act>
    void visit(const Items& items, const Act& act) const {
        std::vector<double> room;
        for (const ItemBlock& block : items.blocks()) {
            const Matrix rows = items.rows(block, room);
            multiply_tiles(tiles, rows, nullptr, [&](const Part& part) {
                if (items.cosine()) divide(part, block.norms.data() + part.category);
                act(block, rows, part);
            });
        }
    }
};

// The scores of all items for each user, (n_users, n_items); NaN where there is none.
inline void score_items(const Items& items, Matrix features, double* to) {
    const Users users(items, features, 0, features.n_columns);
    users.visit(items, [&](const ItemBlock& block, Matrix, const Part& part) {
        for (size_t c = 0; c < part.n_categories; ++c)
            block.visit_copies(part.category + c, [&](size_t copy) {
                for (size_t i = 0; i < part.n_rows; ++i)
                    to[(part.row + i) * items.size() + block.first + copy] = part.at(c, i);
            });
    });
}

// What is left out: the items of user u are items[starts[u]..starts[u + 1]], sorted.
struct Excluded {
    std::vector<int64_t> starts, items;
    bool has(size_t user, int64_t item) const {
        if (starts.empty()) return false;
        const auto at = [&](size_t u) { return items.begin() + starts[u]; };
        return std::binary_search(at(user), at(user + 1), item);
    }
};

struct Wish {
    size_t k;
    double least;       // what a score must reach
    size_t most_pairs;  // that are held for more than one user
    Excluded excluded;
};

struct Recommended {
    std::vector<int64_t> counts, items, overflow;  // overflow: users whose scores do
    std::vector<double> scores;
    std::vector<uint8_t> tied;
};

// More pairs are within reach of the k-th score than are to be held for so many users.
struct TooMany {};

// One pass over the items for some users.
class Search {
  public:
    Search(const Items& items, Matrix features, size_t first, size_t n, const Wish& wish)
        : items_(items), features_(features), first_(first), wish_(wish),
          users_(items, features, first, n), limits_(users_.norms.size(), infinity),
          overflow_(n, false), lists_(n) {
        const double most_terms = static_cast<double>(items.n_features()) * items.largest();
        for (size_t u = 0; u < n; ++u) {
            const double largest = users_.tiles.largest[u];
            may_overflow_ |= !items.cosine() && !(largest * most_terms < 0x1p1022);
            lists_[u].reach =
                items.cosine() ? 2.5 * unit_ + 4.0 * lost_
                               : widest_tie(items.n_features(), largest, items.largest(), 0.0);
            n_held_ += lists_[u].room = 4 * wish.k + 64;
            if (largest > 0.0) limits_[u] = wish.least;
        }
    }

    void run() {
        users_.visit(items_, [&](const ItemBlock& block, Matrix rows, const Part& part) {
            for (size_t c = 0; c < part.n_categories; ++c) {
                const double* const scores = &part.at(c, 0);
                for (size_t i = 0; may_overflow_ && i < part.n_rows; ++i)
                    if (!std::isfinite(scores[i])) overflow_[part.row + i] = true;
                if (!is_any_wanted(scores, &limits_[part.row])) continue;
                for (size_t i = 0; i < part.n_rows; ++i)
                    if (scores[i] >= limits_[part.row + i])
                        take(block, rows, part.row + i, part.category + c, scores[i]);
            }
        });
    }

    // Appends what was found.
    void give(Recommended& to) {
        for (size_t u = 0; u < lists_.size(); ++u) {
            std::vector<Candidate>& held = lists_[u].held;
            const bool missing = has_missing(features_, first_ + u);
            // All items are alike to zeros: the first will do, and one more to see that they tie.
            const bool zeros = users_.tiles.largest[u] == 0.0 && !missing && !items_.cosine();
            const auto n_items = static_cast<int64_t>(items_.size());
            if (zeros && wish_.least <= 0.0)
                for (int64_t i = 0; i < n_items && held.size() <= wish_.k; ++i)
                    if (!wish_.excluded.has(first_ + u, i)) held.push_back({0.0, lost_, i});
            if (overflow_[u] && !missing) {
                held.clear();
                to.overflow.push_back(static_cast<int64_t>(first_ + u));
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
    }

  private:
    struct List {
        std::vector<Candidate> held;
        double reach;  // what is further below another never ties with it
        size_t room;
    };

    // Whether one of a tile's scores reaches its limit.
    static bool is_any_wanted(const double* scores, const double* limits) {
        bool any = false;
        matscore::run([&](auto lanes) MATSCORE_ALWAYS {
            Lanes<lanes> limit, score, most = -1.0 - Lanes<lanes>{};
            for (size_t i = 0; i < tile_rows; i += lanes) {
                load(limit, limits + i), load(score, scores + i);
                const Lanes<lanes> ahead = score - limit;
                most = ahead > most ? ahead : most;
            }
            for (size_t i = 0; i < lanes; ++i) any |= most[i] >= 0.0;
        });
        return any;
    }

    void take(const ItemBlock& block, Matrix rows, size_t user, size_t item, double score) {
        const std::vector<double> x = users_.row(user);
        double bound = lost_;
        if (items_.cosine())
            bound += add_sizes(x.data(), rows.row(item), x.size()) /
                     (users_.norms[user] * block.norms[item]) * unit_;
        else bound = bound_error(x, rows.row(item), x.size(), 0.0);
        List& list = lists_[user];
        size_t n_taken = 0;
        block.visit_copies(item, [&](size_t copy) {
            const auto place = static_cast<int64_t>(block.first + copy);
            if (n_taken > wish_.k || wish_.excluded.has(first_ + user, place)) return;
            ++n_taken;
            list.held.push_back({score, bound, place});
            if (list.held.size() < list.room) return;
            limits_[user] = std::max(limits_[user], drop_low(list.held, wish_.k, list.reach));
            if (2 * list.held.size() > list.room)
                n_held_ += std::exchange(list.room, 2 * list.room);
        });
        if (n_held_ > wish_.most_pairs && lists_.size() > 1) throw TooMany{};
    }

    const Items& items_;
    Matrix features_;
    size_t first_;
    const Wish& wish_;
    Users users_;
    // For the cosine: gamma of n for the product, as much for the two norms together, and seven
    // roundings for their roots, their product, the division and the bound's own arithmetic.
    double unit_ = rounding_unit(2 * items_.n_features() + 7);
    double lost_ =
        static_cast<double>(items_.n_features()) * underflow * (items_.cosine() ? 8.0 : 1.0);
    std::vector<double> limits_;  // what a score must reach to be taken
    std::vector<bool> overflow_;
    std::vector<List> lists_;
    bool may_overflow_ = false;
    size_t n_held_ = 0;
};

// The best items for users `first` up to first + n, appended: in halves where too many pairs tie.
inline void recommend(const Items& items, Matrix features, size_t first, size_t n, const Wish& wish,
                      Recommended& to) {
    try {
        Search search(items, features, first, n, wish);
        search.run();
        return search.give(to);
    } catch (const TooMany&) {
    }
    recommend(items, features, first, n / 2, wish, to);
    recommend(items, features, first + n / 2, n - n / 2, wish, to);
}

}  // namespace matscore
