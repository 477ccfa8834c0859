// The tie rule. Two scores tie where they differ by no more than the sum of their error bounds.
// Again and again, of what is left the highest score is taken; what ties with it is tied, and the
// first of the tied in order gets the next rank. So the first k ranks do not depend on k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace matscore {

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
    if (left.size() <= k) return -std::numeric_limits<double>::infinity();
    const auto kth = left.begin() + static_cast<std::ptrdiff_t>(k) - 1;
    std::nth_element(left.begin(), kth, left.end(), is_higher);
    const double limit = std::nextafter(kth->score - reach, -std::numeric_limits<double>::infinity());
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
            std::sort(start, stop, [](const Candidate& a, const Candidate& b) { return a.place < b.place; });
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

}  // namespace matscore
