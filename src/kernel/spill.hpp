// Numbers in a temporary file, for those that memory does not hold. It is read and not mapped:
// pages of a mapped file count as this process's memory.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <vector>

namespace matscore {

// Calls move(fd, bytes, size, offset), which is pread or pwrite, until all is moved.
template <class Byte, class Move>
void move_all(int fd, Byte* bytes, size_t size, size_t offset, const Move& move) {
    while (size > 0) {
        const ssize_t n = move(fd, bytes, size, static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw std::system_error(n < 0 ? errno : EIO, std::generic_category());
        bytes += n, size -= static_cast<size_t>(n), offset += static_cast<size_t>(n);
    }
}

inline void write_numbers(int fd, const std::vector<double>& values, size_t offset) {
    move_all(fd, reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double), offset, ::pwrite);
}

inline void read_numbers(int fd, std::vector<double>& values, size_t offset) {
    move_all(fd, reinterpret_cast<char*>(values.data()), values.size() * sizeof(double), offset, ::pread);
}

}  // namespace matscore
