// Products of rows with columns of a weight, in whatever form it is kept: y (R, N) = x (R, K) W^T (N, K).

#pragma once

#include "dots.h"
#include "quantized.h"
#include "step.h"

namespace {

constexpr i64 kFewRows = 8, kColumns = 16;
constexpr i64 kLongRow = 2048, kSecondCache = 256 << 10;  // bytes

inline i64 columns_of_a_task(i64 rows) { return rows > 64 ? 96 : kColumns; }

template <class T> struct Room {  // where sixteen rows of a packed weight are made whole, and how they are read
  T* rows;
  i64 widest;
  const float *levels, *dynamic;
};

inline Nf4 nf4_of(const Linear& linear, const float* levels, const float* dynamic) {
  return {static_cast<const u8*>(linear.weight), static_cast<const u8*>(linear.scales), linear.scale_scales,
          linear.mean, levels, dynamic};
}

#ifdef HAVE_BF16_DOT

// Codes that become numbers in registers, the same that rows made whole would have.
struct Int8Rows {
  struct Row {
    static constexpr int kAlone = 1;
    const std::int8_t* codes;
    Lanes scale;
    i64 ahead;
    __m512bh take(i64 k) const {
      __builtin_prefetch(codes + k + ahead);
      return int8_pair(_mm_loadu_si128(at(k)), _mm_loadu_si128(at(k + 16)), scale);
    }
    __m512bh take_some(i64 k, i64 count) const {
      const __mmask16 low = first_lanes(count), high = first_lanes(std::max<i64>(0, count - 16));
      return int8_pair(_mm_maskz_loadu_epi8(low, at(k)), _mm_maskz_loadu_epi8(high, at(k + 16)), scale);
    }
    const __m128i* at(i64 k) const { return reinterpret_cast<const __m128i*>(codes + k); }
  };
  const std::int8_t* codes;
  const float* scales;
  i64 width;
  Row at(i64 n, i64 ahead) const { return {codes + n * width, all(scales[n]), ahead * width}; }
};

struct Nf4Rows {
  struct Row {
    static constexpr int kAlone = 4;
    const Nf4* w;
    i64 block, ahead;  // of all blocks, the row's first
    __m512i table;
    __m512bh take(i64 k) {
      const u8* codes = w->codes + block * (kBlock / 2) + k / 2;
      if (k % kBlock == 0) {
        table = nf4_table(*w, nf4_scale(*w, block + k / kBlock));
        __builtin_prefetch(codes + ahead);
      }
      return (__m512bh)nf4_half(codes, table);
    }
    __m512bh take_some(i64 k, i64) { return take(k); }  // beyond the end x has zeros
  };
  const Nf4& w;
  i64 first, blocks;
  Row at(i64 n, i64 ahead) const { return {&w, (first + n) * blocks, ahead * blocks * (kBlock / 2), __m512i{}}; }
};

#endif

// sixteen rows of a packed weight from n on made whole
template <class T>
[[gnu::noinline]] PlainRows<T, false> whole(const Linear& linear, i64 n, i64 count, const Room<T>& room) {
  const i64 width = linear.inputs;
  for (i64 i = 0; i < count; ++i)
    if (linear.form == 1)
      int8_row(static_cast<const std::int8_t*>(linear.weight) + (n + i) * width,
               static_cast<const float*>(linear.scales)[n + i], room.rows + i * room.widest, width);
    else
      nf4_row(nf4_of(linear, room.levels, room.dynamic), n + i, room.rows + i * room.widest, width);
  return {room.rows, room.widest};
}

// What follows `count` rows from n on.
template <class T> Ahead after(const Linear& linear, i64 n, i64 count) {
  const i64 blocks = (linear.inputs + kBlock - 1) / kBlock;
  const i64 row = linear.form == 0   ? linear.row * static_cast<i64>(sizeof(T))
                  : linear.form == 1 ? linear.inputs
                                     : blocks * (kBlock / 2);
  return {static_cast<const char*>(linear.weight) + (n + count) * row, count * row};
}

// Up to sixteen columns from n on. They stay in a first cache while many rows of x pass, so fewer where they are
// long. `is_first`: no rows have passed, so what follows is still in memory.
template <class T>
void multiply_some(const Linear& linear, i64 n, i64 count, const T* x, i64 rows, bool is_first, float* y, i64 y_row,
                   const Room<T>& room) {
  const i64 width = linear.inputs;
  const T* weight = static_cast<const T*>(linear.weight) + n * linear.row;
  if (rows > kManyRows || (linear.form != 0 && rows > kFewRows)) {
    const Ahead ahead = is_first ? after<T>(linear, n, count) : Ahead{};
    const PlainRows<T, false> w =
        linear.form == 0 ? PlainRows<T, false>{weight, linear.row} : whole(linear, n, count, room);
    return multiply_many(w, count, width, x, width, rows, y, y_row, ahead);
  }
  if (linear.form == 0)
    return multiply_few(PlainRows<T, true>{weight, linear.row}, count, width, x, width, rows, y, y_row);
#ifdef HAVE_BF16_DOT
  if constexpr (sizeof(T) == 2) {
    if (linear.form == 1) {
      const Int8Rows w{static_cast<const std::int8_t*>(linear.weight) + n * width,
                       static_cast<const float*>(linear.scales) + n, width};
      return multiply_few(w, count, width, x, width, rows, y, y_row);
    }
    const Nf4 codes = nf4_of(linear, room.levels, room.dynamic);
    const Nf4Rows w{codes, n, (width + kBlock - 1) / kBlock};
    return multiply_few(w, count, width, x, width, rows, y, y_row);
  }
#endif
  multiply_many(whole(linear, n, count, room), count, width, x, width, rows, y, y_row, Ahead{});
}

// columns n0 to n1; rows of x pass in parts that stay in a second cache
template <class T>
void multiply_columns(const Linear& linear, i64 n0, i64 n1, const T* x, i64 rows, float* y, i64 y_row,
                      const Room<T>& room) {
  const i64 width = linear.inputs, bytes = width * static_cast<i64>(sizeof(T));
  const i64 part = std::max<i64>(64, kSecondCache / bytes / 8 * 8);
  const i64 columns = rows > kManyRows && bytes > kLongRow ? kColumns / 2 : kColumns;
  for (i64 r = 0; r < rows; r += part)
    for (i64 n = n0; n < n1; n += columns)
      multiply_some(linear, n, std::min(columns, n1 - n), x + r * width, std::min(part, rows - r), r == 0,
                    y + r * y_row + n, y_row, room);
}

}  // namespace
