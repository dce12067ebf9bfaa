// Products of rows with columns of a weight, in whatever form it is kept: y (R, N) = x (R, K) W^T (N, K).

#pragma once

#include "dots.h"
#include "quantized.h"
#include "step.h"

namespace {

constexpr i64 kRowsTogether = 4, kColumns = 16;
constexpr i64 kLongRow = 2048, kSecondCache = 256 << 10;  // bytes

inline i64 columns_of_a_task(i64 rows) { return rows > 64 ? 96 : 64; }

template <class T> struct Room {  // where sixteen rows of a packed weight are made whole, and how they are read
  T* rows;
  i64 widest;
  const float *levels, *dynamic;
};

// sixteen rows of a weight from n on: in place, or made whole
template <class T> [[gnu::noinline]] Sixteen<T> whole(const Linear& linear, i64 n, i64 count, const Room<T>& room) {
  if (linear.form == 0) return {static_cast<const T*>(linear.weight) + n * linear.row, linear.row, count};
  const i64 width = linear.inputs, bytes = linear.form == 1 ? width : (width + kBlock - 1) / kBlock * (kBlock / 2);
  const auto* following = static_cast<const char*>(linear.weight) + (n + kColumns) * bytes;
  for (i64 i = 0; i < kColumns * bytes; i += 64) __builtin_prefetch(following + i);  // while these are multiplied
  for (i64 i = 0; i < count; ++i)
    if (linear.form == 1)
      int8_row(static_cast<const std::int8_t*>(linear.weight) + (n + i) * width,
               static_cast<const float*>(linear.scales)[n + i], room.rows + i * room.widest, width);
    else
      nf4_row({static_cast<const u8*>(linear.weight), static_cast<const u8*>(linear.scales), linear.scale_scales,
               linear.mean, room.levels, room.dynamic},
              n + i, room.rows + i * room.widest, width);
  return {room.rows, room.widest, count};
}

// Sixteen rows of the weight stay in a first cache while all rows of x pass, or eight where they are long.
template <class T>
[[gnu::noinline]] void multiply_sixteen(const Sixteen<T>& w, i64 width, const T* x, i64 rows, float* y, i64 y_row,
                                       bool fetch) {
  const i64 ahead = fetch ? kColumns * w.row * static_cast<i64>(sizeof(T)) : 0;
  const bool long_ones = rows > kRowsTogether && width * static_cast<i64>(sizeof(T)) > kLongRow;
  const int part = long_ones ? kColumns / 2 : kColumns;
  alignas(64) float found[kRowsTogether * kColumns + kColumns];
  for (int n = 0; n < std::min(w.count, kColumns); n += part)
    for (i64 r = 0; r < rows; r += kRowsTogether) {
      const i64 some = std::min(kRowsTogether, rows - r);
      const T* at[kRowsTogether];
      for (i64 i = 0; i < kRowsTogether; ++i) at[i] = x + (r + std::min(i, some - 1)) * width;
      const i64 taken = long_ones ? std::max<i64>(some, 2) : some;  // a last row alone is taken twice
      dots(taken, at, w, width, r == 0 ? ahead : 0, found, kColumns, n, n + part);
      for (i64 i = 0; i < some; ++i)
        store_some(y + (r + i) * y_row + n, load(found + i * kColumns + n), std::min<i64>(part, w.count - n));
    }
}

// columns n0 to n1; rows of x pass in parts that stay in a second cache
template <class T>
void multiply_columns(const Linear& linear, i64 n0, i64 n1, const T* x, i64 rows, float* y, i64 y_row,
                      const Room<T>& room) {
  const i64 width = linear.inputs, fits = kSecondCache / (width * static_cast<i64>(sizeof(T)));
  const i64 part = std::max<i64>(64, fits / kRowsTogether * kRowsTogether);
  for (i64 r = 0; r < rows; r += part)
    for (i64 n = n0; n < n1; n += kColumns)
      multiply_sixteen(whole(linear, n, std::min(kColumns, n1 - n), room), width, x + r * width,
                       std::min(part, rows - r), y + r * y_row + n, y_row, linear.form == 0);
}

}  // namespace
