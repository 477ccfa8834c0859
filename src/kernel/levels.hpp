// Texts and their places: the levels of a text column, and what texts there are.
#pragma once

#include <random>

#include "numbers.hpp"

namespace matscore {

// Distinct texts in the order in which they came, found by a hash table: open addressing, linear
// probing, at most half full (Knuth, The Art of Computer Programming, volume 3, section 6.4). Texts
// may be chosen to do harm, but the seed of their hashes is not known.
class TextTable {
  public:
    const std::vector<std::string>& texts() const { return texts_; }

    // The place of a text, or -1.
    int64_t find(string_view text) const {
        return int64_t{slots_[find_slot(text, hash(text))].number} - 1;
    }

    // The place of a text, which is added where it is new.
    int64_t add(string_view text) {
        const uint32_t key = hash(text);
        Slot& slot = slots_[find_slot(text, key)];
        if (slot.number != 0) return slot.number - 1;
        if (texts_.size() >= UINT32_MAX) throw std::length_error("there are too many texts");
        texts_.emplace_back(text);
        slot = {key, static_cast<uint32_t>(texts_.size())};
        if (2 * texts_.size() > slots_.size()) grow();
        return static_cast<int64_t>(texts_.size()) - 1;
    }

  private:
    struct Slot {
        uint32_t hash, number;  // the text's place from 1; 0 in a free slot
    };

    static uint64_t fold(uint64_t a, uint64_t b) {
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    }

    // Eight bytes at a time, by multiplication (after Wang Yi's wyhash, 2019).
    static uint32_t hash(string_view text) {
        static const uint64_t seed = std::random_device()() * uint64_t{0x9e37'79b9'7f4a'7c15};
        uint64_t state = seed ^ text.size(), word = 0;
        for (size_t i = 0; i + 8 < text.size(); i += 8)
            state = fold(state ^ load_8(text.data() + i), 0xa076'1d64'78bd'642f);
        if (text.size() >= 8) word = load_8(text.data() + text.size() - 8);
        else for (const char c : text) word = word << 8 | static_cast<unsigned char>(c);
        state = fold(state ^ word, 0xe703'7ed1'a0b4'28db);
        return static_cast<uint32_t>(state ^ state >> 32);
    }

    // The slot of a text, or the free one where it would be.
    size_t find_slot(string_view text, uint32_t key) const {
        const size_t mask = slots_.size() - 1;
        size_t i = key & mask;
        for (; slots_[i].number != 0; i = (i + 1) & mask)
            if (slots_[i].hash == key && texts_[slots_[i].number - 1] == text) break;
        return i;
    }

    void grow() {
        slots_.assign(2 * slots_.size(), {});
        for (uint32_t i = 0; i < texts_.size(); ++i) {
            const uint32_t key = hash(texts_[i]);
            slots_[find_slot(texts_[i], key)] = {key, i + 1};
        }
    }

    std::vector<std::string> texts_;
    std::vector<Slot> slots_ = std::vector<Slot>(16);
};

// What a missing cell may hold besides nothing, without the blanks around it. A word that is a
// number stands for all that are equal to it.
class MissingWords {
  public:
    MissingWords(std::vector<std::string> words, char mark)
        : mark_(mark), words_(std::move(words)) {
        double number = 0;
        for (const std::string& word : words_) {
            starts_[static_cast<unsigned char>(word[0])] = true;
            if (read_whole(word, mark, number)) numbers_.push_back(number);
        }
    }
    bool has(string_view core) const {
        if (core.empty()) return true;
        if (starts_[static_cast<unsigned char>(core[0])] &&
            std::find(words_.begin(), words_.end(), core) != words_.end())
            return true;
        double number = 0;
        return !numbers_.empty() && read_whole(core, mark_, number) && has(number);
    }
    bool has(double number) const {
        return std::find(numbers_.begin(), numbers_.end(), number) != numbers_.end();
    }

  private:
    char mark_;
    std::vector<std::string> words_;
    std::vector<double> numbers_;
    bool starts_[256] = {};
};

// The levels of a text column. A cell's code is its level's place; that of all other texts, and
// that of a missing cell, come after them where they are wanted. Threads may share it.
class Levels {
  public:
    static constexpr double kUnknown = -2.0, kMissing = -3.0;  // no code

    // `numeric` levels are numbers, and cells are compared with them as numbers.
    Levels(const std::vector<std::string>& levels, bool numeric, bool other, bool missing)
        : is_numeric_(numeric), other_(other ? static_cast<double>(levels.size()) : kUnknown),
          missing_(missing ? static_cast<double>(levels.size()) + 1.0 : kMissing) {
        for (const std::string& level : levels) {
            double number = 0;
            const auto n = static_cast<int64_t>(table_.texts().size());
            expect(!numeric || read_key(strip(level), '.', number), "a level is no number");
            expect(table_.add(numeric ? view(number) : level) == n, "a level is there twice");
        }
    }

    // The code of a cell's text, or why there is none.
    double find(string_view text, const MissingWords& words, char mark) const {
        const string_view core = strip(text);
        if (words.has(core)) return missing_;
        double number = 0;
        if (is_numeric_ && !read_key(core, mark, number)) return other_;
        const int64_t place = table_.find(is_numeric_ ? view(number) : text);
        return place >= 0 ? static_cast<double>(place) : other_;
    }

    Buffer<double> find_all(const Texts& texts, const MissingWords& words, char mark) const {
        Buffer<double> codes(texts.size());
        for (size_t i = 0; i < codes.size(); ++i) codes[i] = find(texts[i], words, mark);
        return codes;
    }

  private:
    static bool read_key(string_view core, char mark, double& number) {
        const bool is_number = read_whole(core, mark, number);
        number += 0.0;  // one zero
        return is_number;
    }
    static string_view view(const double& number) {
        return {reinterpret_cast<const char*>(&number), sizeof number};
    }

    TextTable table_;
    bool is_numeric_;
    double other_, missing_;
};

// Numbers texts, each that is new by the next number; -1 for what is missing.
inline Buffer<int64_t> number_texts(TextTable& table, const Texts& texts,
                                    const MissingWords& words) {
    Buffer<int64_t> numbers(texts.size());
    for (size_t i = 0; i < texts.size(); ++i)
        numbers[i] = words.has(strip(texts[i])) ? -1 : table.add(texts[i]);
    return numbers;
}

}  // namespace matscore
