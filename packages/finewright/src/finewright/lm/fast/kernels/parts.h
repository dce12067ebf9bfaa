// The parts of a step, one after the other, and how threads share a part's items.
//
// A part ends when all of its items are done, not when all threads have come to its end. So a thread that another
// program keeps from its core holds nobody up, unless that was in the middle of an item: what it has not begun
// others take, and it goes on where they are. That this is rare, each thread offers its core now and then, between
// parts, to whoever waits for it.

#pragma once

#include <omp.h>
#include <sched.h>

#include <chrono>

#include "numbers.h"

namespace {

struct alignas(64) Line {  // of a cache, with one counter
  i64 count = 0;
};

class Parts {
 public:
  Parts(Line* lines, i64 threads) : line_(lines), threads_(threads), me_(omp_get_thread_num()), offered_(Clock::now()) {}

  static i64 lines_of(i64 threads) { return threads + 2; }

  // `count` items in order, of which a thread's own lie side by side, then `more` as they come.
  template <class Do> void run(i64 count, i64 more, Do&& work) {
    Line* const own = line_;
    Line &others = own[threads_], &done = own[threads_ + 1];
    line_ += lines_of(threads_);
    i64 mine = 0;
    for (i64 t = 0; t < threads_; ++t) {  // its own first
      const i64 whose = (me_ + t) % threads_, first = count * whose / threads_, end = count * (whose + 1) / threads_;
      for (i64 i; first < end && (i = first + take(own[whose])) < end; ++mine) work(i);
    }
    for (i64 i; more && (i = take(others)) < more; ++mine) work(count + i);
    if (threads_ > 1) wait(done, mine, count + more);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kOffer{200};
  static constexpr i64 kSpins = 2000;

  static i64 take(Line& line) { return __atomic_fetch_add(&line.count, 1, __ATOMIC_RELAXED); }

  void wait(Line& done, i64 mine, i64 all) {
    __atomic_fetch_add(&done.count, mine, __ATOMIC_RELEASE);
    if (const auto now = Clock::now(); now - offered_ > kOffer) {
      sched_yield();
      offered_ = now;
    }
    for (i64 spins = 0; __atomic_load_n(&done.count, __ATOMIC_ACQUIRE) < all; ++spins) {
      if (spins < kSpins)
        pause();
      else
        sched_yield();
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  Line* line_;
  i64 threads_, me_;
  Clock::time_point offered_;
};

}  // namespace
