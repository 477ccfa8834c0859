// Writes numbers of random bits and compares them with std::to_chars, which finds the shortest
// digits on its own; reads each back. Run by long_numbers.py.
//   compare_numbers NUMBERS SEED
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "../../src/kernel/numbers.hpp"

using namespace matscore;

int main(int argc, char** argv) {
    const long n = argc > 1 ? std::atol(argv[1]) : 1'000'000;
    std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0);
    for (long i = 0; i < n; ++i) {
        std::uint64_t bits = random();
        // One in eight each: subnormal, a power of two's neighbour, few bits, a short decimal.
        if (i % 8 == 0) bits &= 0x800f'ffff'ffff'ffff;
        if (i % 8 == 1) bits = (bits & 0xfff0'0000'0000'0000) + (bits & 3) - 1;
        if (i % 8 == 2) bits &= 0xffff'ffff'0000'0000;
        if (i % 8 == 3) {
            const double scale = std::pow(10.0, static_cast<double>(bits % 23));
            const double number = static_cast<double>((bits >> 8) % 10'000'000'000) / scale;
            std::memcpy(&bits, &number, 8);
        }
        double number = 0;
        std::memcpy(&number, &bits, 8);
        if (!std::isfinite(number)) continue;
        char written[kLongestNumber];
        char* const end = write_number(number, written);
        // The same digits and exponent, in the form of to_chars.
        char expected[64];
        const std::to_chars_result result =
            std::to_chars(expected, expected + 64, number, std::chars_format::scientific);
        std::string digits;
        int point = -1;
        int exponent = 0;
        const char* p = written + (number < 0 || std::signbit(number) ? 1 : 0);
        for (; p != end && *p != 'e'; ++p) {
            if (*p == '.') point = static_cast<int>(digits.size());
            else digits += *p;
        }
        if (p != end) exponent = std::atoi(std::string(p + 1, static_cast<std::size_t>(end - p - 1)).c_str());
        if (point < 0) point = static_cast<int>(digits.size());
        const std::size_t first = digits.find_first_not_of('0');
        std::string form = std::signbit(number) ? "-" : "";
        if (first == std::string::npos) {
            form += "0e+00";
        } else {
            exponent += point - static_cast<int>(first) - 1;
            digits = digits.substr(first, digits.find_last_not_of('0') + 1 - first);
            form += digits.substr(0, 1) + (digits.size() > 1 ? "." + digits.substr(1) : "");
            char tail[8];
            std::snprintf(tail, sizeof tail, "e%+03d", exponent);
            form += tail;
        }
        double again = 0;
        const bool is_same = form == std::string_view(expected, static_cast<std::size_t>(result.ptr - expected));
        const bool is_read = read_number(written, end, '.', again) == end &&
                             std::memcmp(&again, &number, 8) == 0;
        if (!is_same || !is_read) {
            std::printf("%a is written %.*s, not %.*s\n", number, static_cast<int>(end - written),
                        written, static_cast<int>(result.ptr - expected), expected);
            return 1;
        }
    }
    return 0;
}
