// Memory that grows and can be handed over to Python.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace matscore {

// An array of plain values. Unlike std::vector it leaves new memory unwritten and can be released.
template <typename T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t capacity) { reserve(capacity); }
    Buffer(Buffer&& other) noexcept { *this = std::move(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    ~Buffer() { std::free(data_); }

    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return size_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }

    void reserve(std::size_t capacity) {
        if (capacity > capacity_) reallocate(capacity);
    }

    // Make room for n more values and return where they go; the size stays.
    T* extend(std::size_t n) {
        if (capacity_ - size_ < n) reallocate(size_ > 0 ? size_ + n + (size_ + n) / 2 : n);
        return data_ + size_;
    }

    void set_size(std::size_t size) { size_ = size; }

    void push(T value) {
        *extend(1) = value;
        ++size_;
    }

    // Give up the memory, cut to its size; the caller frees it. Never null.
    T* release() {
        if (size_ < capacity_ || data_ == nullptr) reallocate(size_ > 0 ? size_ : 1);
        size_ = capacity_ = 0;
        return std::exchange(data_, nullptr);
    }

  private:
    void reallocate(std::size_t capacity) {
        if (capacity > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_alloc();
        void* data = std::realloc(data_, capacity * sizeof(T));
        if (data == nullptr) throw std::bad_alloc();
        data_ = static_cast<T*>(data);
        capacity_ = capacity;
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace matscore
