// Memory that grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace matscore {

// Leaves new memory unwritten: most of it is written next.
template <typename T>
struct Unwritten : std::allocator<T> {
    template <typename U>
    struct rebind {
        using other = Unwritten<U>;
    };
    template <typename U>
    void construct(U* place) {
        ::new (static_cast<void*>(place)) U;
    }
    template <typename U, typename... Values>
    void construct(U* place, Values&&... values) {
        std::construct_at(place, std::forward<Values>(values)...);
    }
};

template <typename T>
using Buffer = std::vector<T, Unwritten<T>>;

// A flag for each row, or none at all where none is set.
using Flags = Buffer<std::uint8_t>;

inline void set_flag(Flags& flags, std::size_t row, std::size_t n_rows, bool is_set) {
    if (flags.empty() && is_set) flags.assign(n_rows, 0);
    if (!flags.empty()) flags[row] = is_set ? 1 : 0;
}

}  // namespace matscore
