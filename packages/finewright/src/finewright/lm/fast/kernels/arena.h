// Room for a step's intermediate numbers.

#pragma once

#include <cstdlib>
#include <memory>
#include <utility>

#include "numbers.h"

namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// Memory that the next step finds again, as fresh pages cost more than what is written on them.
class Arena {
 public:
  template <class T> T* take(i64 count) {
    const i64 at = used_;
    used_ += (count * static_cast<i64>(sizeof(T)) + 127) / 64 * 64;
    return memory_ ? reinterpret_cast<T*>(memory_.get() + at) : nullptr;
  }
  template <class Lay> void lay(Lay&& all) {  // first to learn the size, then for good
    std::unique_ptr<char, Free> kept = std::move(memory_);
    used_ = 0;
    all();
    if (used_ > size_) {
      size_ = used_ + used_ / 4;
      kept.reset(static_cast<char*>(std::aligned_alloc(64, (size_ + 63) / 64 * 64)));
    }
    memory_ = std::move(kept);
    used_ = 0;
    all();
  }

 private:
  std::unique_ptr<char, Free> memory_;
  i64 used_ = 0, size_ = 0;
};

}  // namespace
