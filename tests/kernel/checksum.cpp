// Writes the bytes of a fixed set of products, decisions, powers, best items, parses and prints: the same on
// every processor and with every compiler. processors.sh builds it and compares the checksums.
//
//   checksum [instruction set] | sha256sum
#include <bit>
#include <cstdio>
#include <numeric>

#include "numbers.hpp"
#include "top.hpp"

namespace {

// What is written.
class Output {
  public:
    void add(const void* data, size_t n) {
        if (n > 0) std::fwrite(data, 1, n, stdout);
    }
    template <class T>
    void add(const T& values) {
        add(values.data(), values.size() * sizeof(values[0]));
    }
    // All NaN are one: which of them a processor makes is its own affair.
    void add_numbers(matscore::Buffer<double> values) {
        for (double& value : values)
            if (value != value) value = std::bit_cast<double>(std::uint64_t{0x7ff8} << 48);
        add(values);
    }
};

// SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
class Random {
  public:
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // kind 0: from -1 to 1; 1: tenths; 2: any exponent of a quarter of the range; 3: any finite bits.
    double number(unsigned kind) {
        const auto bits = next();
        if (kind == 0) return static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-63;
        if (kind == 1) return static_cast<double>(static_cast<std::int64_t>(bits % 61) - 30) / 10.0;
        if (kind == 2) return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits)), static_cast<int>(next() % 512) - 319);
        const double any = std::bit_cast<double>(bits);
        return std::isfinite(any) ? any : 0.0;
    }
    std::vector<double> numbers(unsigned kind, size_t n) {
        std::vector<double> values(n);
        for (double& value : values) value = number(kind);
        return values;
    }

  private:
    std::uint64_t state_ = 0;
};

void add_scores(Output& out, const matscore::Model& model, const std::vector<double>& x, size_t n_rows) {
    using namespace matscore;
    const Matrix features{x.data(), x.size() / n_rows, n_rows};
    const Scored found = model.score(features, true);
    out.add_numbers(found.scores);
    out.add_numbers(found.margin);
    std::vector<double> first;
    for (size_t row = 0; row < features.n_rows; ++row) first.push_back(features.row(row)[0]);
    out.add_numbers(model.bound_scores({first.data(), first.size(), 1}));
    out.add_numbers(find_powers(found.scores));
    out.add(found.best);
    out.add(found.tied);
    out.add(found.overflow);
}

void add_features(Output& out, Random& random, unsigned kind, const size_t (&shape)[3]) {
    const auto [n_rows, n_features, n_categories] = shape;
    const auto x = random.numbers(kind, n_features * n_rows), w = random.numbers(kind, n_features * n_categories);
    const auto b = random.numbers(kind, n_categories);
    add_scores(out, {{w.data(), n_features, n_categories}, b, n_features, {}}, x, n_rows);
}

// Two dense terms; four of a group, and four of another that multiplies a stored number.
void add_gathers(Output& out, Random& random, unsigned kind) {
    using namespace matscore;
    const size_t n_rows = 50, n_terms = 10, n_categories = 70;
    auto x = random.numbers(kind, 4 * n_rows);
    const auto w = random.numbers(kind, n_terms * n_categories);
    for (size_t i = 2 * n_rows; i < x.size(); ++i) x[i] = static_cast<double>(random.next() % 5) - 1.0;
    const std::int64_t terms[] = {2, 7, 0, 1, 3, 6, 4, -1, 5, 9};
    const std::span<const std::int64_t> all(terms);
    const std::vector<Gather> gathers{
        {-1, 0, all.first(1)}, {-1, 1, all.subspan(1, 1)}, {2, -1, all.subspan(2, 4)}, {3, 0, all.last(4)}};
    const std::vector<double> b(n_categories);
    add_scores(out, {{w.data(), n_terms, n_categories}, b, 4, gathers}, x, n_rows);
}

void add_items(Output& out, Random& random, unsigned kind, bool cosine) {
    using namespace matscore;
    const size_t n_features = 9, n_items = 1100, n_users = 21;
    const auto rows = random.numbers(kind, n_items * n_features), users = random.numbers(kind, n_users * n_features);
    const Buffer<double> norms = find_norms({rows.data(), n_items, n_features});
    const std::vector<double> user_norms(n_users, 1.5);
    std::optional<std::span<const double>> of_users, of_items;
    if (cosine) of_users = user_norms, of_items = norms;
    std::vector<int64_t> places(n_items + 1);
    std::iota(places.begin(), places.end(), 0);
    Search search({users.data(), n_features, n_users}, of_users, 10, -infinity, size_t{1} << 20,
                  static_cast<int64_t>(n_items), find_largest(std::span(rows)), {});
    search.add({rows.data(), n_items, n_features}, of_items, places, places);
    const auto [counts, items, scores, tied, overflow] = search.take();
    out.add(counts);
    out.add(items);
    out.add_numbers(scores);
    out.add(tied);
    out.add(overflow);
}

// A number's shortest text, and what is read from it and from digits that none was made of.
void add_texts(Output& out, Random& random, bool is_long) {
    char text[64];
    const double number = random.number(3);
    char* end = matscore::write_number(number, text);
    out.add(text, static_cast<size_t>(end - text));
    double value = 0.0;
    matscore::read_number(text, end, '.', value);
    out.add(&value, sizeof value);
    end = text;
    for (int digits = is_long ? 40 : 15; digits > 0; --digits) {
        *end++ = static_cast<char>('0' + random.next() % 10);
        if (digits == 7) *end++ = '.';
    }
    end += std::snprintf(end, 8, "e%d", static_cast<int>(random.next() % 600) - 320);
    if (matscore::read_number(text, end, '.', value) == nullptr) value = -1.0;
    out.add(&value, sizeof value);
}

}  // namespace

int main(int n, char** arguments) {
    if (n > 1) matscore::choose(arguments[1]);
    Output out;
    Random random;
    constexpr size_t shapes[][3] = {{50, 8, 3}, {25, 130, 10}, {3, 70, 41}, {241, 3, 9}, {24, 300, 17}};
    for (unsigned kind = 0; kind < 4; ++kind)
        for (const auto& shape : shapes) add_features(out, random, kind, shape);
    for (unsigned kind = 0; kind < 3; ++kind)
        for (const bool cosine : {false, true}) add_items(out, random, kind, cosine);
    for (unsigned kind = 0; kind < 4; ++kind) add_gathers(out, random, kind);
    for (int i = 0; i < 30000; ++i) add_texts(out, random, i % 3 == 0);
}
